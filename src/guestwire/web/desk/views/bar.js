/**
 * The bar on top: the product, the mark for faults, the queue switch, the seat.
 *
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { faultsOn, isOnline, me } from "../core/selectors.js";
import { imageUrl } from "../core/text.js";
import { enable, h, onPress, setAttribute, setText, show } from "./dom.js";
import { icon } from "./icons.js";
import { iconButton } from "./parts.js";

/**
 * @param {Words} words
 * @param {{ onToggleQueue: () => void, onFaults: () => void, onPicture: () => void, onHelp: () => void, onLeave: () => void }} intents
 */
export function createBar(words, { onToggleQueue, onFaults, onPicture, onHelp, onLeave }) {
  const faultCount = h("span", { class: "bar-fault-count" });
  const faults = h(
    "button",
    { type: "button", class: "bar-button bar-faults" },
    icon("fault"),
    h("span", { class: "bar-faults-label" }, words.bar.faults),
    faultCount,
  );
  const queue = h(
    "button",
    { type: "button", class: "bar-button queue-switch", role: "switch", "aria-checked": "false" },
    h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "thumb" })),
    h("span", {}, words.bar.onQueue),
  );
  const face = h("span", { class: "seat-face", "aria-hidden": "true" }, icon("person"));
  const seatName = h("span", { class: "seat-name", dir: "auto" });
  const seat = h("button", { type: "button", class: "bar-button seat-me" }, face, seatName);
  /** @type {string | undefined} */
  let shownFace;
  const help = iconButton("help", words.bar.help, "bar-icon");
  const leave = iconButton("leave", words.bar.leave, "bar-icon");
  const hazard = h("div", { class: "hazard", "aria-hidden": "true", hidden: true });
  const element = h(
    "header",
    { class: "bar", "aria-label": words.bar.label },
    h(
      "div",
      { class: "bar-row" },
      h("h1", { class: "brand" }, icon("wire", "brand-mark"), h("span", { class: "brand-name" }, words.product), h("span", { class: "brand-place" }, words.title)),
      h("div", { class: "bar-tools" }, faults, queue, seat, help, leave),
    ),
    hazard,
  );
  onPress(queue, onToggleQueue);
  onPress(faults, onFaults);
  onPress(seat, onPicture);
  onPress(help, onHelp);
  onPress(leave, onLeave);

  /** @param {string | undefined} source */
  function drawFace(source) {
    shownFace = source;
    const url = imageUrl(source);
    face.replaceChildren(url === undefined ? icon("person") : h("img", { alt: "", referrerpolicy: "no-referrer", src: url }));
    face.querySelector("img")?.addEventListener("error", () => face.replaceChildren(icon("person")), { once: true });
  }

  return {
    element,
    /** @param {Model} model */
    update({ state }) {
      const agent = me(state);
      const on = faultsOn(state.desk);
      enable(queue, isOnline(state) && agent !== undefined);
      setAttribute(queue, "aria-checked", String(agent?.onQueue ?? false));
      const name = agent?.name ?? state.work.myName ?? "";
      setText(seatName, name);
      setAttribute(seat, "title", words.bar.seat(name));
      setAttribute(seat, "aria-label", words.bar.seat(name));
      enable(seat, isOnline(state) && agent !== undefined);
      if (agent?.avatar !== shownFace) drawFace(agent?.avatar);
      show(faultCount, on.length > 0);
      setText(faultCount, on.length > 0 ? String(on.length) : "");
      const mark = on.length > 0 ? words.faults.mark(on) : undefined;
      setAttribute(faults, "data-on", on.length > 0);
      setAttribute(faults, "title", mark ?? words.faults.show);
      setAttribute(faults, "aria-label", on.length > 0 ? `${words.bar.faults} ${words.bar.faultsOn(on.length)}` : undefined);
      show(hazard, on.length > 0);
    },
  };
}
