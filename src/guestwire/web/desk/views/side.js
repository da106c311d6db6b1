/**
 * The side pane: three tabs, the guest, the deployment and the faults.
 *
 * @import { SideName } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { faultsOn } from "../core/selectors.js";
import { createDeployment } from "./deployment.js";
import { h, onPress, setAttribute, setText, show } from "./dom.js";
import { createFaults } from "./faults.js";
import { createGuest } from "./guest.js";
import { iconButton } from "./parts.js";

/** @type {readonly SideName[]} */
const NAMES = ["guest", "deployment", "faults"];

/**
 * @param {Words} words
 * @param {Parameters<typeof createFaults>[1] & Parameters<typeof createGuest>[1] & Parameters<typeof createDeployment>[1] & {
 *   onTab: (name: SideName) => void, onClose: () => void }} intents
 */
export function createSide(words, intents) {
  const views = {
    guest: createGuest(words, intents),
    deployment: createDeployment(words, intents),
    faults: createFaults(words, intents),
  };
  const count = h("span", { class: "count count-loud" });
  const pairs = NAMES.map((name) => ({ name, ...createTab(name, words.side[name], views[name].element) }));
  pairs.find(({ name }) => name === "faults")?.tab.append(count);
  const tablist = h("div", { class: "tabs", role: "tablist", "aria-label": words.side.label }, ...pairs.map(({ tab }) => tab));
  const close = iconButton("close", words.side.close, "hide-wide");
  const element = h(
    "section",
    { class: "pane side-pane", "aria-label": words.side.label },
    h("div", { class: "side-head" }, tablist, close),
    ...pairs.map(({ panel }) => panel),
  );

  for (const { name, tab } of pairs) onPress(tab, () => intents.onTab(name));
  tablist.addEventListener("keydown", (event) => {
    const here = pairs.findIndex(({ tab }) => tab === document.activeElement);
    const step = getComputedStyle(tablist).direction === "rtl" ? -1 : 1;
    const places = new Map([["ArrowLeft", here - step], ["ArrowRight", here + step], ["Home", 0], ["End", pairs.length - 1]]);
    const place = places.get(event.key);
    if (place === undefined || event.altKey) return;
    event.preventDefault();
    const next = pairs.at(place % pairs.length);
    if (!next) return;
    intents.onTab(next.name);
    next.tab.focus();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && close.checkVisibility()) intents.onClose();
  });
  onPress(close, intents.onClose);

  return {
    element,
    /** @param {SideName} name */
    focusTab: (name) => pairs.find((one) => one.name === name)?.tab.focus(),
    /** @param {Model} model */
    update(model) {
      const { side } = model.state.work;
      const on = faultsOn(model.state.desk).length;
      show(count, on > 0);
      setText(count, on > 0 ? model.format.number(on) : "");
      for (const { name, tab, panel } of pairs) {
        setAttribute(tab, "aria-selected", String(side === name));
        setAttribute(tab, "tabindex", side === name ? 0 : -1);
        show(panel, side === name);
      }
      views[side].update(model);
    },
  };
}

/** @param {SideName} name @param {string} title @param {Node} content */
function createTab(name, title, content) {
  const tab = h("button", { type: "button", role: "tab", id: `tab-${name}`, class: "tab", "aria-controls": `panel-${name}` }, title);
  const panel = h("div", { role: "tabpanel", id: `panel-${name}`, class: "panel", "aria-labelledby": tab.id, tabindex: 0 }, content);
  return { tab, panel };
}
