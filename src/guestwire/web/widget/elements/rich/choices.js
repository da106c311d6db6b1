/** Fields to choose with: times by day, items by section, a date. Pickers and forms are made of them. */

/** @import { Choice, Section, Slot } from "../../core/content.js" */
/** @import { Words } from "../../core/words.js" */

import { startOfDay } from "../../core/words.js";
import { el } from "../dom.js";
import { drawImage } from "./draw.js";

let count = 0;

/** A name that no other group of the page has. */
export function newName() {
  count += 1;
  return `choice-${count}`;
}

/**
 * Who can't choose any more sees what was chosen.
 *
 * @typedef {{ element: HTMLElement, chosen: () => Choice[] }} Chooser
 */

/**
 * @param {Slot[]} slots
 * @param {Words} words
 * @param {Set<string>} chosen Payloads.
 * @param {number} now
 * @returns {Chooser} The times, below the day that they have where the reader is.
 */
export function drawSlots(slots, words, chosen, now) {
  const name = newName();
  const element = el("div", { class: "slots", role: "radiogroup", "aria-label": words.say("picker.times") });
  /** @type {[HTMLInputElement, Choice][]} */
  const inputs = [];
  /** @type {HTMLElement | undefined} */
  let day;
  let at;
  for (const slot of slots) {
    if (startOfDay(slot.at) !== at) {
      at = startOfDay(slot.at);
      day = el("div", { class: "slot-row" });
      element.append(el("div", { class: "slot-day", role: "group", "aria-label": words.day(at, now) }, el("p", { class: "slot-date", "aria-hidden": "true" }, words.day(at, now)), day));
    }
    const input = el("input", { type: "radio", name, class: "slot-input", checked: chosen.has(slot.iso) });
    inputs.push([input, { text: words.slot(slot.at), payload: slot.iso }]);
    day?.append(el("label", { class: "slot" }, input, el("time", { datetime: slot.iso }, words.time(slot.at))));
  }
  return { element, chosen: () => checkedOf(inputs) };
}

/**
 * @param {Section[]} sections
 * @param {Set<string>} chosen Payloads.
 * @returns {Chooser}
 */
export function drawSections(sections, chosen) {
  /** @type {[HTMLInputElement, Choice][]} */
  const inputs = [];
  const element = el("div", { class: "sections" });
  for (const { title, isMultiple, items } of sections) {
    const name = newName();
    const labels = items.map((item) => {
      const input = el("input", { type: isMultiple ? "checkbox" : "radio", name, class: "option-input", checked: chosen.has(item.id) });
      inputs.push([input, { text: item.title, payload: item.id }]);
      return el(
        "label",
        { class: "option" },
        input,
        el("span", { class: "option-words" }, el("bdi", {}, item.title), ...(item.subtitle ? [el("small", { class: "option-text" }, el("bdi", {}, item.subtitle))] : [])),
        ...(item.image ? [drawImage(item.image, "option-image")] : []),
      );
    });
    element.append(el("fieldset", { class: "section" }, ...(title ? [el("legend", { class: "section-title" }, el("bdi", {}, title))] : []), ...labels));
  }
  return { element, chosen: () => checkedOf(inputs) };
}

/** @param {[HTMLInputElement, Choice][]} inputs */
function checkedOf(inputs) {
  return inputs.flatMap(([input, choice]) => (input.checked ? [choice] : []));
}
