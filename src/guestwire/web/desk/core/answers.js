/**
 * A guest's answers to what was offered: which message they answer, and what was answered, in words.
 *
 * What a guest sends is another party's: a payload may name what was never offered, ids may lead nowhere.
 *
 * @import { ButtonResponse, ContentItem, Entry, Form, FormComponent } from "./types.js"
 */

/** Kinds of content that wait for an answer. */
const ASKING = new Set(["QuickReply", "QuickReplyV2", "Card", "Carousel", "DatePicker", "ListPicker", "Form"]);

/** @typedef {{ label: string, text: string }} Answered A form's question and its answer; empty when left out. */

/** @param {Entry} entry @returns {ButtonResponse[]} What the guest chose. */
export function choices({ content = [] }) {
  return content.flatMap((one) => (one.contentType === "ButtonResponse" && one.buttonResponse ? [one.buttonResponse] : []));
}

/** @param {Entry} entry @returns {Form | undefined} The guest's answer to a form. */
export function answeredForm({ content = [] }) {
  return content.find((one) => one.contentType === "Form" && Array.isArray(one.form?.response))?.form;
}

/** @param {Entry} entry @returns {string | undefined} Id of what a guest's message answers. */
export function answeredId(entry) {
  if (entry.from !== "guest") return undefined;
  return entry.inReplyTo ?? answeredForm(entry)?.originatingMessageId ?? choices(entry).find((one) => one.originatingMessageId)?.originatingMessageId;
}

/**
 * @param {Entry} entry A guest's.
 * @param {readonly Entry[]} entries All of the conversation, in order.
 * @returns {Entry | undefined} What it answers: what it names, or else the last one before it that offers what was chosen.
 */
export function questionOf(entry, entries) {
  const id = answeredId(entry);
  if (id !== undefined) return entries.find((one) => one.id === id);
  const [choice] = choices(entry);
  if (!choice) return undefined;
  const before = entries.slice(0, entries.indexOf(entry));
  return before.findLast((one) => one.from !== "guest" && (one.content ?? []).some((item) => offers(item, choice)));
}

/** @param {ContentItem} item @param {ButtonResponse} choice */
function offers(item, { payload }) {
  const cards = [...(item.card ? [item.card] : []), ...(item.carousel?.cards ?? [])];
  return [item.quickReply, ...(item.quickReplyV2?.actions ?? []), ...cards.flatMap((one) => one.actions ?? [])].some(
    (one) => one !== undefined && one.payload === payload,
  );
}

/** @param {Entry} entry @returns {boolean} Whether it waits for an answer. */
export function isQuestion({ from, content = [] }) {
  return from !== "guest" && content.some((one) => ASKING.has(one.contentType));
}

/** @param {readonly Entry[]} entries @returns {Set<string>} Ids of the questions that have been answered. */
export function answered(entries) {
  const ids = entries.flatMap((one) => (one.from === "guest" && (one.content?.length || one.inReplyTo) ? [questionOf(one, entries)?.id] : []));
  return new Set(ids.filter((one) => one !== undefined));
}

/**
 * @param {Form} answer
 * @param {Entry | undefined} question
 * @returns {Answered[]} In the order of the form; several choices of one list are one answer.
 */
export function formAnswers(answer, question) {
  const asked = question?.content?.find((one) => one.form)?.form;
  const components = (asked?.formPages ?? []).flatMap((page) => page.pageComponents ?? []);
  /** @type {Map<string, string[]>} */
  const texts = new Map(components.map((one) => [componentId(one) ?? "", []]));
  for (const { id, component } of answer.response ?? []) {
    const said = component?.buttonResponse?.text ?? "";
    texts.set(id, [...(texts.get(id) ?? []), said]);
  }
  return [...texts].map(([id, said]) => ({
    label: labelOf(components.find((one) => componentId(one) === id)) ?? id,
    text: said.filter(Boolean).join(", "),
  }));
}

/** @param {FormComponent} component */
function componentId({ input, datePicker, listPicker, wheelPicker }) {
  return (input ?? datePicker ?? listPicker ?? wheelPicker)?.id;
}

/** @param {FormComponent | undefined} component */
function labelOf(component) {
  if (!component) return undefined;
  const { input, datePicker, listPicker } = component;
  return input?.title || datePicker?.title || listPicker?.receivedMessage?.title || listPicker?.sections?.[0]?.title;
}

/** @param {Entry} entry @returns {string} A message in one line: its text, else what was chosen, else its files. */
export function gist(entry) {
  const files = (entry.content ?? []).flatMap((one) => (one.attachment ? [one.attachment.filename ?? ""] : []));
  return entry.text || choices(entry).map((one) => one.text).join(", ") || files.join(", ") || questionText(entry);
}

/** @param {Entry} entry @returns {string} What a question asks, in one line. */
export function questionText({ text, content = [] }) {
  const [first] = content;
  const title = first?.datePicker?.title ?? first?.listPicker?.receivedMessage?.title ?? first?.form?.introduction?.title ?? first?.card?.title;
  return text || title || "";
}
