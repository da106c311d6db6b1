/**
 * What a guest answered to a choice or a form, in words, under what it answers.
 *
 * @import { Entry } from "../core/types.js"
 * @import { Drawing } from "./parts.js"
 */

import { answeredForm, choices, formAnswers, questionOf, questionText } from "../core/answers.js";
import { plainText } from "../core/text.js";
import { h, onPress } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @param {Entry} entry
 * @param {readonly Entry[]} entries
 * @param {Drawing & { markdown: boolean }} drawing
 * @param {(entryId: string) => void} onShow Bring what was answered into view.
 * @returns {HTMLElement | undefined} Undefined when it answers nothing.
 */
export function createAnswer(entry, entries, drawing, onShow) {
  if (entry.from !== "guest") return undefined;
  const { words, markdown } = drawing;
  const form = answeredForm(entry);
  const chosen = choices(entry);
  const question = questionOf(entry, entries);
  if (!form && chosen.length === 0) return question && h("div", { class: "answer" }, quote(question, markdown, words, onShow));
  return h(
    "div",
    { class: "answer" },
    question && quote(question, markdown, words, onShow),
    form ? filledForm(entry, form, question, words) : h("ul", { class: "chosen-list" }, ...chosen.map((one) => chosenItem(one.text || one.payload || "", one.payload, words))),
  );
}

/** @param {Entry} question @param {boolean} markdown @param {import("../locales/en.js").Words} words @param {(entryId: string) => void} onShow */
function quote(question, markdown, words, onShow) {
  const text = plainText(questionText(question), { markdown, isOutbound: true }) || words.content.question;
  const button = h("button", { type: "button", class: "quote", title: words.content.showQuestion }, icon("reply"), h("span", { dir: "auto" }, text));
  onPress(button, () => onShow(question.id));
  return button;
}

/** @param {string} text @param {string | undefined} payload @param {import("../locales/en.js").Words} words */
function chosenItem(text, payload, words) {
  const hidden = payload !== undefined && payload !== text ? payload : undefined;
  return h(
    "li",
    { class: "chosen" },
    icon("check"),
    h("span", { class: "visually-hidden" }, words.content.chosen),
    h("span", { dir: "auto" }, text),
    hidden !== undefined && h("code", { class: "payload", title: words.content.payload }, hidden),
  );
}

/**
 * @param {Entry} entry
 * @param {import("../core/types.js").Form} form
 * @param {Entry | undefined} question
 * @param {import("../locales/en.js").Words} words
 */
function filledForm(entry, form, question, words) {
  return h(
    "div",
    { class: "sheet" },
    entry.text !== "" && h("strong", { dir: "auto" }, entry.text),
    h(
      "dl",
      { class: "filled" },
      ...formAnswers(form, question).flatMap(({ label, text }) => [
        h("dt", { dir: "auto" }, label),
        h("dd", { dir: "auto", "data-missing": text === "" }, text || words.content.leftOut),
      ]),
    ),
  );
}
