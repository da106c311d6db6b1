/**
 * The faults: drawn from what the emulator describes, whatever they are.
 *
 * @import { Fault, ParamValue } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { faultGroups, faultsOn, isOnline } from "../core/selectors.js";
import { paramLabel } from "../core/text.js";
import { enable, h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { button, createToggle } from "./parts.js";

/** @typedef {{ on: boolean } & Record<string, ParamValue>} Setting */

/**
 * @param {Words} words
 * @param {{ onSetFault: (name: string, setting: Setting) => void, onFireFault: (name: string) => Promise<boolean>,
 *   onClearFaults: () => void, onReset: () => void }} intents
 */
export function createFaults(words, { onSetFault, onFireFault, onClearFaults, onReset }) {
  /** @type {WeakMap<Element, (model: Model, fault: Fault) => void>} */
  const updates = new WeakMap();
  /** @type {Model | undefined} */
  let drawn;
  const groups = h("div", { class: "fault-groups" });
  const find = h("input", { id: "fault-find", class: "input", type: "search", placeholder: words.faults.find, "aria-label": words.faults.find, autocomplete: "off" });
  const notFound = h("p", { class: "quiet" }, words.faults.notFound);
  const none = h("p", { class: "quiet" }, words.faults.none);
  const clear = button(words.faults.clear, "normal");
  const reset = button(words.faults.reset, "danger");
  const unpublished = h("p", { class: "callout" }, words.faults.unpublished);
  const element = h(
    "div",
    { class: "faults-panel" },
    h("p", { class: "quiet" }, words.faults.lead),
    clear,
    unpublished,
    none,
    find,
    groups,
    notFound,
    h("div", { class: "reset" }, reset, h("p", { class: "quiet" }, words.faults.resetLead)),
  );
  find.addEventListener("input", () => {
    if (drawn) draw(drawn);
  });
  onPress(clear, onClearFaults);
  onPress(reset, onReset);

  /** @param {Fault} fault */
  function create(fault) {
    const { item, update } = fault.kind === "action" ? createAction(words, fault, onFireFault) : createSwitch(words, fault, onSetFault);
    updates.set(item, update);
    return item;
  }

  /** @param {{ title: string }} group */
  function createGroup({ title }) {
    return h("section", {}, h("h2", { class: "section-title" }, title), h("ul", { class: "faults" }));
  }

  /** @param {Model} model */
  function draw(model) {
    drawn = model;
    const found = faultGroups(model.state.desk.faults, find.value, words.faults.others);
    syncChildren(groups, found, (one) => one.title, createGroup, (section, { faults }) => {
      const list = /** @type {Element} */ (section.lastElementChild);
      syncChildren(list, faults, (one) => one.name, create, (item, fault) => updates.get(item)?.(model, fault));
    });
    show(notFound, found.length === 0 && find.value !== "");
  }

  return {
    element,
    /** @param {Model} model */
    update(model) {
      const { desk } = model.state;
      const online = isOnline(model.state);
      enable(clear, online && faultsOn(desk).length > 0);
      enable(reset, online);
      show(unpublished, !desk.flow.published);
      show(none, desk.faults.length === 0);
      show(find, desk.faults.length > 0);
      draw(model);
    },
  };
}

/** @param {Words} words @param {Fault} fault @param {(name: string, setting: Setting) => void} onSetFault */
function createSwitch(words, fault, onSetFault) {
  const id = `fault-${fault.name}`;
  const toggle = createToggle(id);
  const title = h("label", { id: `${id}-title`, for: id, class: "fault-title" });
  const help = h("p", { id: `${id}-help`, class: "fault-help" });
  const params = h("div", { class: "params" });
  const item = h("li", { class: "fault" }, h("div", { class: "fault-head" }, title, toggle), help, params);
  /** @type {Fault} */
  let shown = fault;

  const setting = (/** @type {boolean} */ on) => ({ ...readParams(params), on });
  onPress(toggle, () => onSetFault(shown.name, setting(!shown.on)));
  params.addEventListener("change", () => {
    if (shown.on && toggle.getAttribute("aria-disabled") !== "true") onSetFault(shown.name, setting(true));
  });

  return {
    item,
    /** @param {Model} model @param {Fault} now */
    update({ state }, now) {
      shown = now;
      setText(title, now.title);
      setText(help, now.help);
      setAttribute(toggle, "aria-checked", String(now.on ?? false));
      setAttribute(item, "data-on", now.on ?? false);
      enable(toggle, isOnline(state));
      syncChildren(params, Object.entries(now.params ?? {}), ([name]) => name, ([name, value]) => createParam(words, id, name, value), (node, [, value]) => {
        const input = /** @type {HTMLInputElement} */ (node.querySelector("input"));
        // The server's value is written when it changes, never over what somebody is writing.
        if (input.dataset.server === String(value) || input === document.activeElement) return;
        input.dataset.server = String(value);
        if (typeof value === "boolean") input.checked = value;
        else input.value = String(value);
      });
    },
  };
}

/** @param {Words} words @param {string} id @param {string} name @param {ParamValue} value */
function createParam(words, id, name, value) {
  const { label, unit } = paramLabel(name);
  const type = { number: "number", boolean: "checkbox", string: "text" }[/** @type {"number" | "boolean" | "string"} */ (typeof value)];
  const input = h("input", { id: `${id}-${name}`, class: type === "checkbox" ? "checkbox" : "input input-small", type, "data-name": name, min: type === "number" ? 0 : undefined, step: type === "number" ? "any" : undefined });
  return h("div", { class: "param" }, h("label", { for: input.id }, label), input, unit !== "" && h("span", { class: "unit" }, words.units[unit] ?? unit));
}

/** @param {Element} params @returns {Record<string, ParamValue>} Fields left empty are left out. */
function readParams(params) {
  /** @type {Record<string, ParamValue>} */
  const values = {};
  for (const input of params.querySelectorAll("input")) {
    const name = input.dataset.name ?? "";
    if (input.type === "checkbox") values[name] = input.checked;
    else if (input.type === "text") values[name] = input.value;
    else if (Number.isFinite(input.valueAsNumber)) values[name] = input.valueAsNumber;
  }
  return values;
}

/** @param {Words} words @param {Fault} fault @param {(name: string) => Promise<boolean>} onFireFault */
function createAction(words, fault, onFireFault) {
  const id = `fault-${fault.name}`;
  const title = h("span", { class: "fault-title" });
  const help = h("p", { id: `${id}-help`, class: "fault-help" });
  const fire = button(words.faults.fire, "normal");
  const done = h("p", { class: "fault-done" });
  setAttribute(fire, "aria-describedby", help.id);
  const item = h("li", { class: "fault" }, h("div", { class: "fault-head" }, title, fire), help, done);
  /** @type {number | undefined} */
  let firedAt;
  onPress(fire, async () => {
    if (await onFireFault(fault.name)) firedAt = Date.now();
  });
  return {
    item,
    /** @param {Model} model @param {Fault} now */
    update({ state, format }, now) {
      setText(title, now.title);
      setText(help, now.help);
      setAttribute(fire, "aria-label", words.faults.fireLabel(now.title));
      enable(fire, isOnline(state));
      setText(done, firedAt === undefined ? "" : words.faults.fired(format.time(firedAt)));
    },
  };
}
