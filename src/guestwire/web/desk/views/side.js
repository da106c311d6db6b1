/**
 * The side pane: two tabs, the guest and the faults.
 *
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { faultsOn } from "../core/selectors.js";
import { h, onPress, setAttribute, setText, show } from "./dom.js";
import { createFaults } from "./faults.js";
import { createGuest } from "./guest.js";
import { iconButton } from "./parts.js";

/** @typedef {"guest" | "faults"} TabName */

/**
 * @param {Words} words
 * @param {Parameters<typeof createFaults>[1] & Parameters<typeof createGuest>[1] & { onTab: (name: TabName) => void,
 *   onClose: () => void }} intents
 */
export function createSide(words, intents) {
  const views = { guest: createGuest(words, intents), faults: createFaults(words, intents) };
  const count = h("span", { class: "count count-loud" });
  const tabs = {
    guest: h("button", { type: "button", role: "tab", id: "tab-guest", class: "tab", "aria-controls": "panel-guest" }, words.side.guest),
    faults: h("button", { type: "button", role: "tab", id: "tab-faults", class: "tab", "aria-controls": "panel-faults" }, words.side.faults, count),
  };
  const panels = {
    guest: h("div", { role: "tabpanel", id: "panel-guest", class: "panel", "aria-labelledby": "tab-guest", tabindex: 0 }, views.guest.element),
    faults: h("div", { role: "tabpanel", id: "panel-faults", class: "panel", "aria-labelledby": "tab-faults", tabindex: 0 }, views.faults.element),
  };
  const tablist = h("div", { class: "tabs", role: "tablist", "aria-label": words.side.label }, tabs.guest, tabs.faults);
  const close = iconButton("close", words.side.close, "hide-wide");
  const element = h("section", { class: "pane side-pane", "aria-label": words.side.label }, h("div", { class: "side-head" }, tablist, close), panels.guest, panels.faults);

  for (const name of /** @type {TabName[]} */ (["guest", "faults"])) onPress(tabs[name], () => intents.onTab(name));
  tablist.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) || event.altKey) return;
    event.preventDefault();
    const other = document.activeElement === tabs.guest ? "faults" : "guest";
    intents.onTab(other);
    tabs[other].focus();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && close.checkVisibility()) intents.onClose();
  });
  onPress(close, intents.onClose);

  return {
    element,
    /** @param {TabName} name */
    focusTab: (name) => tabs[name].focus(),
    /** @param {Model} model */
    update(model) {
      const { side } = model.state.work;
      const on = faultsOn(model.state.desk).length;
      show(count, on > 0);
      setText(count, on > 0 ? model.format.number(on) : "");
      for (const name of /** @type {TabName[]} */ (["guest", "faults"])) {
        setAttribute(tabs[name], "aria-selected", String(side === name));
        setAttribute(tabs[name], "tabindex", side === name ? 0 : -1);
        show(panels[name], side === name);
      }
      views[side].update(model);
    },
  };
}
