/**
 * The deployment: its addresses, and its switches, each with what it does.
 *
 * @import { Deployment } from "../core/types.js"
 * @import { Switch } from "../core/deployment-fields.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { SWITCH_GROUPS, addresses, shownValue, writtenValue } from "../core/deployment-fields.js";
import { isOnline } from "../core/selectors.js";
import { enable, h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { createCopy, createToggle } from "./parts.js";

/**
 * @param {Words} words
 * @param {{ onChangeDeployment: (id: string, changes: Record<string, unknown>) => unknown, onCopy: (text: string) => Promise<boolean> }} intents
 */
export function createDeployment(words, { onChangeDeployment, onCopy }) {
  /** @type {Deployment | undefined} */
  let shown;
  /** @type {string | undefined} */
  let pickedId;
  /** @type {((model: Model, deployment: Deployment) => void)[]} */
  const updates = [];

  const picker = h("select", { id: "deployment-pick", class: "input" });
  const pick = h("div", { class: "field", hidden: true }, h("label", { for: picker.id }, words.deployment.pick), picker);
  const where = h("dl", { class: "facts" });
  const groups = SWITCH_GROUPS.map((group) =>
    h(
      "section",
      { class: "switch-group" },
      h("h2", { class: "section-title" }, words.deployment.groups[group.name] ?? group.name),
      h("ul", { class: "switches" }, ...group.switches.map(create)),
    ),
  );
  const none = h("p", { class: "quiet side-none" }, words.deployment.none);
  const body = h("div", { class: "deployment" }, h("p", { class: "quiet" }, words.deployment.lead), pick, where, ...groups);
  const element = h("div", {}, none, body);
  picker.addEventListener("change", () => {
    pickedId = picker.value;
  });

  /** @param {Record<string, unknown>} changes */
  function change(changes) {
    if (shown) onChangeDeployment(shown.id, changes);
  }

  /** @param {Switch} one */
  function create(one) {
    const id = `deployment-${one.name}`;
    const title = h("label", { for: id, id: `${id}-title`, class: "fault-title" }, words.deployment.titles[one.name] ?? one.name);
    const help = h("p", { id: `${id}-help`, class: "fault-help" }, words.deployment.helps[one.name] ?? "");
    const item = one.type === "toggle" ? createSwitch(one, id, title, help) : createValue(one, id, title, help);
    updates.push((_model, deployment) => show(item, !one.needs || deployment[one.needs.name] === one.needs.is));
    return item;
  }

  /** @param {Switch} one @param {string} id @param {HTMLElement} title @param {HTMLElement} help */
  function createSwitch(one, id, title, help) {
    const toggle = createToggle(id);
    onPress(toggle, () => change({ [one.name]: toggle.getAttribute("aria-checked") !== "true" }));
    updates.push(({ state }, deployment) => {
      setAttribute(toggle, "aria-checked", String(deployment[one.name] === true));
      enable(toggle, isOnline(state));
    });
    return h("li", { class: "switch" }, h("div", { class: "fault-head" }, title, toggle), help);
  }

  /** @param {Switch} one @param {string} id @param {HTMLElement} title @param {HTMLElement} help */
  function createValue(one, id, title, help) {
    const control = createControl(one, id, words);
    setAttribute(control, "aria-describedby", help.id);
    control.addEventListener("change", () => {
      const value = writtenValue(one, control.value);
      setAttribute(control, "aria-invalid", value === undefined ? "true" : undefined);
      if (value !== undefined) change({ [one.name]: value });
    });
    updates.push((_model, deployment) => {
      const value = shownValue(one, deployment);
      // The server's value is written when it changes, never over what somebody is writing.
      const version = `${deployment.id} ${value}`;
      if (control.dataset.server === version || (control === document.activeElement && one.type !== "choice")) return;
      control.dataset.server = version;
      control.value = value;
      setAttribute(control, "aria-invalid", undefined);
    });
    return h("li", { class: "switch" }, title, h("div", { class: "switch-value" }, control), help);
  }

  return {
    element,
    /** @param {Model} model */
    update(model) {
      const { deployments } = model.state.desk;
      const deployment = deployments.find((one) => one.id === pickedId) ?? deployments[0];
      shown = deployment;
      show(none, !deployment);
      show(body, deployment !== undefined);
      if (!deployment) return;
      show(pick, deployments.length > 1);
      syncChildren(picker, deployments, (one) => one.id, (one) => h("option", { value: one.id }), (option, one) => setText(option, one.name || one.id));
      if (picker.value !== deployment.id) picker.value = deployment.id;
      syncChildren(
        where,
        addresses(deployment.id, location.origin),
        (one) => one.name,
        ({ name }) => {
          const label = words.deployment.addresses[name];
          const value = h("span", { class: "code" });
          return h("div", { class: "fact", "data-copy": true }, h("dt", {}, label), h("dd", {}, value, createCopy(words.side.copy(label), () => onCopy(value.textContent ?? ""))));
        },
        (node, { value }) => setText(/** @type {Node} */ (node.querySelector(".code")), value),
      );
      for (const update of updates) update(model, deployment);
    },
  };
}

/** @param {Switch} one @param {string} id @param {Words} words */
function createControl({ name, type, options = [], max }, id, words) {
  if (type === "lines") return h("textarea", { id, class: "input area code", rows: 3, spellcheck: "false", dir: "ltr" });
  if (type === "choice") {
    return h("select", { id, class: "input" }, ...options.map((one) => h("option", { value: one }, words.deployment.options[one] ?? one)));
  }
  if (type === "number") return h("input", { id, class: "input input-small", type: "number", min: 0, max, step: 1 });
  return h("input", { id, class: "input", type: "text", spellcheck: "false", dir: type === "colour" || name === "botAvatar" ? "ltr" : "auto", autocomplete: "off" });
}
