/** A form, page by page inside its message: introduction, pages, summary, and then the answers to be read. */

/** @import { Choice } from "../../core/content.js" */
/** @import { Field, Form, Values } from "../../core/form.js" */
/** @import { Place } from "./draw.js" */

import { dayChoice, formAnswer, missingOn, valuesIn } from "../../core/form.js";
import { CLOCK } from "../../io/clock.js";
import { el, setAttributes, setText } from "../dom.js";
import { drawSections, drawSlots, newName } from "./choices.js";
import { drawHeading, send } from "./draw.js";

/**
 * @param {Form} form
 * @param {Place} place
 */
export function drawForm(form, place) {
  const { words, answer } = place;
  if (answer) {
    const done = drawSummary(form, valuesIn(answer.content ?? []), place);
    return el("div", { class: "panel", part: "form-content" }, ...drawHeading(form.heading), done);
  }
  const body = el("fieldset", { class: "answer form-page" });
  const drawn = el("form", { class: "panel", part: "form-content", novalidate: true }, ...drawHeading(form.heading), body);
  /** @type {Values} */
  const values = new Map();
  const last = form.pages.length + (form.hasSummary ? 1 : 0);
  /** What a page must pass before it is left. @type {() => boolean} */
  let isComplete = () => true;

  /**
   * 0 is the introduction, then the pages, then the summary.
   *
   * @param {number} step
   * @param {boolean} [takesFocus]
   */
  function show(step, takesFocus = true) {
    const page = form.pages[step - 1];
    const title = step === 0 ? form.introduction : page ? page : { title: words.say("form.summary") };
    const heading = el("p", { class: "form-title", tabindex: -1 }, el("bdi", {}, title?.title ?? words.say("form.step", { n: step, of: form.pages.length })));
    /** @type {HTMLElement[]} */
    const parts = [heading];
    if (page && form.pages.length > 1 && page.title) parts.push(el("p", { class: "panel-text" }, words.say("form.step", { n: step, of: form.pages.length })));
    if (title?.subtitle) parts.push(el("p", { class: "panel-text" }, el("bdi", {}, title.subtitle)));
    if (step === 0 && form.introduction?.image) parts.push(...drawHeading({ image: form.introduction.image }));
    const fields = page?.fields.map((field) => drawField(field, values, place, page.title)) ?? [];
    parts.push(...fields.map(({ element }) => element));
    if (step > form.pages.length) parts.push(drawSummary(form, values, place));
    isComplete = () => {
      const missing = page ? missingOn(page, values) : [];
      page?.fields.forEach((field, index) => fields[index].complain(missing.includes(field)));
      fields[page?.fields.findIndex((field) => missing.includes(field)) ?? -1]?.focus();
      return !missing.length;
    };
    const isLast = step >= last;
    const word = step === 0 ? "start" : isLast ? "send" : step === form.pages.length ? "review" : "next";
    const label = step === 0 && form.introduction?.button ? form.introduction.button : words.say(`form.${word}`);
    const next = el("button", { type: "submit", class: "button loud" }, label);
    const back = el("button", { type: "button", class: "button" }, words.say("form.back"));
    back.addEventListener("click", () => show(step - 1));
    parts.push(el("div", { class: "form-buttons" }, ...(step > (form.introduction ? 0 : 1) ? [back] : []), next));
    body.replaceChildren(...parts);
    drawn.onsubmit = (event) => {
      event.preventDefault();
      if (!isComplete()) return;
      if (isLast && step > 0) send(drawn, form.reply ?? words.say("form.sent"), formAnswer(form, values, place.to), place.to);
      else show(step + 1);
    };
    if (takesFocus) heading.focus();
  }
  show(form.introduction ? 0 : 1, false);
  return drawn;
}

/**
 * @param {Field} field
 * @param {Values} values
 * @param {Place} place
 * @param {string} [pageTitle] Its name where it has none.
 * @returns {{ element: HTMLElement, complain: (isWrong: boolean) => void, focus: () => void }}
 */
function drawField(field, values, { words }, pageTitle) {
  const id = newName();
  const why = el("bdi");
  const complaint = el("p", { class: "complaint", id: `${id}-complaint`, hidden: true }, why);
  const { control, read } = drawControl(field, values.get(field.id) ?? [], words);
  const isGroup = !control.matches("input, textarea, select");
  const name = field.title ?? pageTitle ?? words.say(field.kind === "date" ? "picker.date" : "form.choose");
  const mark = field.isRequired ? [el("span", { class: "mandatory", "aria-hidden": "true" }, ` (${words.say("form.mandatory")})`)] : [];
  const label = el(isGroup ? "p" : "label", { class: field.title || field.isRequired ? "field-label" : "hidden-text", id, for: isGroup ? undefined : `${id}-control` }, el("bdi", {}, name), ...mark);
  const hint = field.subtitle ? [el("p", { class: "panel-text" }, el("bdi", {}, field.subtitle))] : [];
  setAttributes(control, isGroup ? { role: control.role ?? "group", "aria-labelledby": id } : { id: `${id}-control`, "aria-required": field.isRequired && "true" });
  const element = el("div", { class: "form-field" }, label, ...hint, control, complaint);
  const target = isGroup ? /** @type {HTMLElement} */ (control.querySelector("input") ?? control) : control;
  /** @param {boolean} isWrong */
  const complain = (isWrong) => {
    setText(why, isWrong ? words.say("form.required") : "");
    setAttributes(complaint, { hidden: !isWrong });
    setAttributes(isGroup ? control : target, { "aria-invalid": isWrong && !isGroup && "true", "aria-describedby": isWrong && complaint.id });
  };
  element.addEventListener("input", () => {
    values.set(field.id, read());
    complain(false);
  });
  return { element, complain, focus: () => target.focus() };
}

/**
 * @param {Field} field
 * @param {Choice[]} given
 * @param {Place["words"]} words
 * @returns {{ control: HTMLElement, read: () => Choice[] }}
 */
function drawControl(field, given, words) {
  const payloads = new Set(given.map(({ payload }) => payload));
  const [first] = given;
  switch (field.kind) {
    case "input": {
      const { maxLength, placeholder, inputMode, autocomplete, isMultiline } = field;
      const attributes = { class: "line-input", dir: "auto", maxlength: maxLength, placeholder, autocomplete: autocomplete ?? "off" };
      const control = isMultiline ? el("textarea", { ...attributes, rows: 3 }) : el("input", { ...attributes, inputmode: inputMode });
      control.value = first?.text ?? "";
      return { control, read: () => [{ text: control.value.trim(), payload: control.value.trim() }] };
    }
    case "date": {
      if (field.slots.length) {
        const { element, chosen } = drawSlots(field.slots, words, payloads, CLOCK.today());
        return { control: element, read: chosen };
      }
      const control = el("input", { type: "date", class: "line-input", value: first?.payload.slice(0, 10) });
      return { control, read: () => [dayChoice(control.value, field.format)].filter((choice) => choice !== undefined) };
    }
    case "list": {
      const { element, chosen } = drawSections(field.sections, payloads);
      return { control: element, read: chosen };
    }
    default: {
      const options = field.options.map(({ text, payload }, index) => el("option", { value: index, selected: payloads.has(payload) }, text));
      const control = el("select", { class: "line-input", dir: "auto" }, el("option", { value: "" }, words.say("form.choose")), ...options);
      return { control, read: () => (control.value ? [field.options[Number(control.value)]] : []) };
    }
  }
}

/**
 * @param {Form} form
 * @param {Values} values
 * @param {Place} place
 */
function drawSummary({ pages }, values, { words }) {
  const rows = pages.flatMap(({ title, fields }) =>
    fields.map((field) => {
      const given = (values.get(field.id) ?? []).map(({ text }) => text).filter(Boolean);
      const name = field.title ?? title ?? words.say(field.kind === "date" ? "picker.date" : "form.choose");
      return el("div", { class: "summary-row" }, el("dt", {}, el("bdi", {}, name)), el("dd", {}, el("bdi", {}, given.join(", ") || words.say("form.empty"))));
    }),
  );
  return el("dl", { class: "summary" }, ...rows);
}
