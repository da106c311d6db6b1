/** Date picker and list picker: choose, then send. */

/** @import { Choice, DateBlock, ListBlock } from "../../core/content.js" */
/** @import { Chooser } from "./choices.js" */
/** @import { Place } from "./draw.js" */

import { answerOf, chosenIn } from "../../core/content.js";
import { CLOCK } from "../../io/clock.js";
import { el, icon, setAttributes, setText } from "../dom.js";
import { drawSections, drawSlots } from "./choices.js";
import { drawHeading, send } from "./draw.js";

/**
 * @param {DateBlock} block
 * @param {Place} place
 */
export function drawDatePicker({ heading, slots }, place) {
  const { words, answer } = place;
  const chooser = slots.length ? drawSlots(slots, words, chosenIn(answer), CLOCK.today()) : drawDay(place);
  return drawPicker("DatePicker", drawHeading(heading), chooser, place);
}

/**
 * @param {ListBlock} block
 * @param {Place} place
 */
export function drawListPicker({ heading, button, reply, sections }, place) {
  const chooser = drawSections(sections, chosenIn(place.answer));
  return drawPicker("ListPicker", drawHeading(heading), chooser, place, button, reply.subtitle ?? reply.title);
}

/**
 * @param {Place} place
 * @returns {Chooser} Any day, where no times are offered.
 */
function drawDay({ words, answer }) {
  const [chosen = ""] = chosenIn(answer);
  const input = el("input", { type: "date", class: "line-input", "aria-label": words.say("picker.date"), value: chosen.slice(0, 10) });
  return {
    element: input,
    chosen: () => (input.value ? [{ text: words.date(input.value), payload: `${input.value}T00:00:00.000Z` }] : []),
  };
}

/**
 * @param {"DatePicker" | "ListPicker"} type
 * @param {HTMLElement[]} heading
 * @param {Chooser} chooser
 * @param {Place} place
 * @param {string} [label] Of its button.
 * @param {string} [reply] What the guest says with it.
 */
function drawPicker(type, heading, { element, chosen }, { words, to, answer }, label, reply) {
  const button = el("button", { type: "submit", class: "button loud" }, label ?? words.say("picker.send"));
  const why = el("bdi");
  const complaint = el("p", { class: "complaint", role: "alert", hidden: true }, why);
  const note = el("p", { class: "panel-done" }, icon("check"), el("bdi", {}, listed(answer, words.say("chosen"))));
  const form = el("form", { class: "panel", part: "picker" }, ...heading, el("fieldset", { class: "answer" }, element, complaint, answer ? note : button));
  form.addEventListener("change", () => setAttributes(complaint, { hidden: true }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const choices = chosen();
    if (choices.length) {
      send(form, reply ?? choices.map(({ text }) => text).join(", "), answerOf(type, choices, to), to);
      return;
    }
    setText(why, words.say("picker.none"));
    setAttributes(complaint, { hidden: false });
    (element.querySelector("input") ?? element).focus();
  });
  return form;
}

/**
 * @param {Place["answer"]} answer
 * @param {string} otherwise
 */
function listed(answer, otherwise) {
  const texts = (answer?.content ?? []).map((/** @type {any} */ item) => item.buttonResponse?.text).filter((text) => typeof text === "string");
  return texts.join(", ") || answer?.text || otherwise;
}
