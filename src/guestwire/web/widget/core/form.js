/** A form of several pages: what it asks, what is still missing, and the answer in the platform's words. */

/** @import { ContentItem } from "./types.js" */
/** @import { Choice, Heading, Section, Slot } from "./content.js" */

import { defined, headingOf, listOf, sectionsOf, slotsOf, words } from "./content.js";

/**
 * @typedef {{ kind: "input", isMultiline: boolean, maxLength: number, placeholder?: string, inputMode?: string, autocomplete?: string }} InputField
 * @typedef {{ kind: "date", slots: Slot[], format: string }} DateField
 * @typedef {{ kind: "list", sections: Section[] }} ListField
 * @typedef {{ kind: "wheel", options: Choice[] }} WheelField
 * @typedef {{ id: string, title?: string, subtitle?: string, isRequired: boolean } & (InputField | DateField | ListField | WheelField)} Field
 *
 * @typedef {{ title?: string, subtitle?: string, fields: Field[] }} Page
 * @typedef {Heading & { button?: string }} Introduction
 * @typedef {{ id?: string, heading: Heading, introduction?: Introduction, pages: Page[], hasSummary: boolean, reply?: string }} Form
 */

/** What the guest has entered, by field; a field that was not touched has none. @typedef {Map<string, Choice[]>} Values */

/** What the platform's own chat takes, in characters. */
const LONGEST_LINE = 30;
const LONGEST_TEXT = 300;

/** @type {Record<string, string>} */
const INPUT_MODES = { decimal: "decimal", email: "email", number: "numeric", numberpunctuation: "numeric", phone: "tel", url: "url", websearch: "search" };
const AUTOCOMPLETE = new Set(["name", "given-name", "family-name", "email", "tel", "organization", "street-address", "postal-code", "country-name", "bday", "url"]);

/**
 * @param {any} given
 * @returns {Form | undefined} Undefined when it asks nothing that we can ask.
 */
export function formOf(given) {
  const pages = listOf(given?.formPages, (page) => {
    const fields = listOf(page?.pageComponents, fieldOf);
    return fields.length ? { ...defined({ title: words(page.title), subtitle: words(page.subtitle) }), fields } : undefined;
  });
  if (!pages.length) return undefined;
  const { cannedResponseId, introduction, receivedMessage, replyMessage, showSummary } = given;
  const title = words(introduction?.title);
  return {
    heading: headingOf(receivedMessage),
    pages,
    hasSummary: showSummary === true,
    ...(title && { introduction: { ...headingOf(introduction), ...defined({ button: words(introduction.buttonText) }) } }),
    ...defined({ id: words(cannedResponseId), reply: words(replyMessage?.title) }),
  };
}

/** @param {any} given @returns {Field | undefined} */
function fieldOf(given) {
  const { formComponentType: type, input, datePicker, listPicker, wheelPicker } = given ?? {};
  const part = { Input: input, DatePicker: datePicker, ListPicker: listPicker, WheelPicker: wheelPicker }[String(type)];
  const id = words(part?.id);
  if (!id) return undefined;
  const { title, subtitle } = headingOf(type === "ListPicker" ? (part.receivedMessage ?? part) : part);
  const common = { id, isRequired: false, ...defined({ title, subtitle }) };
  switch (type) {
    case "Input": {
      const isMultiline = part.isMultipleLine === true;
      const autocomplete = String(part.autoCompleteType ?? "").toLowerCase();
      return {
        ...common,
        kind: "input",
        isRequired: part.isRequired === true,
        isMultiline,
        maxLength: isMultiline ? LONGEST_TEXT : LONGEST_LINE,
        ...defined({ placeholder: words(part.placeholderText), inputMode: INPUT_MODES[String(part.keyboardType).toLowerCase()] }),
        ...(AUTOCOMPLETE.has(autocomplete) && { autocomplete }),
      };
    }
    case "DatePicker":
      return { ...common, kind: "date", isRequired: true, slots: slotsOf(part), format: words(part.dateDisplayFormat) ?? "" };
    case "ListPicker": {
      const sections = sectionsOf(part);
      return sections.length ? { ...common, kind: "list", sections } : undefined;
    }
    default: {
      const options = listOf(part.items, (item) => {
        const text = words(item?.title);
        return text && { text, payload: String(item.value ?? item.id ?? text) };
      });
      return options.length ? { ...common, kind: "wheel", options: /** @type {Choice[]} */ (options) } : undefined;
    }
  }
}

/**
 * @param {Page} page
 * @param {Values} values
 * @returns {Field[]} What must still be filled in.
 */
export function missingOn({ fields }, values) {
  return fields.filter(({ id, isRequired }) => isRequired && !values.get(id)?.some(({ text }) => text.trim()));
}

/**
 * @param {Form} form
 * @param {Values} values
 * @param {string} [to] What it answers.
 * @returns {ContentItem[]}
 */
export function formAnswer({ id, pages }, values, to) {
  const response = pages.flatMap(({ fields }) =>
    fields.flatMap((field) => {
      const isPicker = field.kind === "list" || field.kind === "wheel";
      const given = values.get(field.id) ?? [];
      // A picker that was left alone says so; a field that was, nothing.
      const entries = given.length || !isPicker ? given : [{ text: "", payload: "" }];
      return entries.map(({ text, payload }) => ({
        id: field.id,
        component: { contentType: "ButtonResponse", buttonResponse: { type: "Form", text, payload } },
      }));
    }),
  );
  const form = { ...defined({ originatingMessageId: to, cannedResponseId: id }), response };
  return [{ contentType: "Form", form }];
}

/**
 * @param {ContentItem[]} content Of the guest's answer.
 * @returns {Values}
 */
export function valuesIn(content) {
  /** @type {Values} */
  const values = new Map();
  for (const item of content) {
    for (const { id, component } of listOf(/** @type {any} */ (item).form?.response, (entry) => entry ?? undefined)) {
      const text = words(component?.buttonResponse?.text);
      if (text) values.set(id, [...(values.get(id) ?? []), { text, payload: String(component.buttonResponse.payload) }]);
    }
  }
  return values;
}

/**
 * The day that a date field gives.
 *
 * @param {string} value As an `input type=date` has it: yyyy-mm-dd.
 * @param {string} format The platform's `dateDisplayFormat`.
 * @returns {Choice | undefined}
 */
export function dayChoice(value, format) {
  const [year, month, day] = value.split("-");
  if (!day) return undefined;
  const text = { dayMonthYear: `${day}/${month}/${year}`, yearMonthDay: `${year}/${month}/${day}` }[format] ?? `${month}/${day}/${year}`;
  return { text, payload: `${value}T00:00:00.000Z` };
}
