/**
 * Date pickers, list pickers and forms in miniature.
 *
 * @import { DatePicker, Form, FormComponent, ListPicker } from "../core/types.js"
 * @import { Drawing } from "./parts.js"
 */

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** @param {string | undefined} title @param {string | undefined} subtitle */
function heading(title, subtitle) {
  if (!title && !subtitle) return false;
  return h("div", { class: "sheet-head" }, h("strong", { dir: "auto" }, title ?? ""), Boolean(subtitle) && h("p", { class: "quiet", dir: "auto" }, subtitle ?? ""));
}

/**
 * Slots by day, as the guest's page groups them; in the agent's own time zone.
 *
 * @param {DatePicker} value
 * @param {Drawing} drawing
 */
export function datePicker({ title, subtitle, availableTimes = [] }, { format, words, now }) {
  /** @type {Map<string, number[]>} */
  const days = new Map();
  for (const { dateTime } of availableTimes) {
    const at = Date.parse(dateTime);
    if (!Number.isNaN(at)) days.set(format.dayOf(at), [...(days.get(format.dayOf(at)) ?? []), at]);
  }
  return h(
    "div",
    { class: "sheet", role: "group", "aria-label": words.content.datePicker },
    heading(title, subtitle),
    ...[...days.values()].map((times) =>
      h(
        "div",
        { class: "slots" },
        h("p", { class: "slots-day" }, icon("calendar"), format.day(times[0] ?? 0, now)),
        h("ul", { class: "chips" }, ...times.map((at) => h("li", { class: "chip" }, format.time(at)))),
      ),
    ),
  );
}

/** @param {ListPicker} value @param {Drawing} drawing */
export function listPicker({ sections, receivedMessage }, { words }) {
  return h(
    "div",
    { class: "sheet", role: "group", "aria-label": words.content.listPicker },
    heading(receivedMessage?.title, receivedMessage?.subtitle),
    ...sections.map((section) =>
      h(
        "div",
        { class: "options" },
        h("p", { class: "options-title", dir: "auto" }, section.title, " ", h("span", { class: "quiet" }, section.multipleSelection ? words.content.several : words.content.one)),
        h(
          "ul",
          {},
          ...section.items.map((one) =>
            h(
              "li",
              { class: "option", "data-several": section.multipleSelection },
              h("span", { dir: "auto" }, one.title),
              one.subtitle !== undefined && h("span", { class: "quiet", dir: "auto" }, one.subtitle),
            ),
          ),
        ),
      ),
    ),
  );
}

/** @param {Form} value @param {Drawing} drawing */
export function formSheet({ introduction, formPages = [] }, { words }) {
  return h(
    "div",
    { class: "sheet", role: "group", "aria-label": words.content.form },
    heading(introduction?.title, introduction?.subtitle),
    ...formPages.map((page) =>
      h(
        "div",
        { class: "options" },
        Boolean(page.title) && h("p", { class: "options-title", dir: "auto" }, page.title ?? ""),
        h("ul", {}, ...(page.pageComponents ?? []).map((one) => h("li", { class: "question" }, ...question(one, words)))),
      ),
    ),
  );
}

/** @param {FormComponent} component @param {import("../locales/en.js").Words} words @returns {(Node | string)[]} */
function question({ formComponentType, input, datePicker: date, listPicker: list, wheelPicker: wheel }, words) {
  const title = input?.title || date?.title || list?.receivedMessage?.title || list?.sections?.[0]?.title;
  const choices = wheel?.items ?? list?.sections?.flatMap((one) => one.items) ?? [];
  const kind = words.content.components[formComponentType] ?? formComponentType;
  return [
    h("span", { dir: "auto" }, title || kind, input?.isRequired || date ? h("span", { class: "needed", title: words.content.needed }, " *") : ""),
    h("span", { class: "quiet", dir: "auto" }, choices.length ? choices.map((one) => one.title).join(" · ") : input?.placeholderText || (title ? kind : "")),
  ];
}
