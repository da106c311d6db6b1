/**
 * Rich content (web-messaging §4.5), checked member by member: what can be drawn, in our own shape. What is wrong or unknown
 * is left out, and the message's text stands for it.
 */

/** @import { ContentItem, MessageRow } from "./types.js" */

import { parseTime } from "./decode.js";
import { formOf } from "./form.js";
import { safeImageUrl, safeUrl } from "./richtext.js";

/** @import { Form } from "./form.js" */

/**
 * @typedef {{ text: string, payload: string, image?: string }} Choice
 * @typedef {{ text: string, href: string } | Choice} CardAction
 * @typedef {{ title: string, description?: string, image?: string, href?: string, actions: CardAction[] }} Card
 * @typedef {{ title?: string, subtitle?: string, image?: string }} Heading
 * @typedef {{ id: string, title: string, subtitle?: string, image?: string }} ListItem
 * @typedef {{ title: string, isMultiple: boolean, items: ListItem[] }} Section
 * @typedef {{ at: number, iso: string }} Slot
 * @typedef {{ name: string, href?: string, kind: "image" | "video" | "audio" | "file" | "link", size?: number, text?: string }} File
 */

/**
 * @typedef {{ kind: "cards", cards: Card[] }} CardsBlock
 * @typedef {{ kind: "chips", title?: string, choices: Choice[] }} ChipsBlock
 * @typedef {{ kind: "date", heading: Heading, slots: Slot[] }} DateBlock
 * @typedef {{ kind: "list", heading: Heading, button?: string, reply: Heading, sections: Section[] }} ListBlock
 * @typedef {{ kind: "form", form: Form }} FormBlock
 * @typedef {{ kind: "files", files: File[] }} FilesBlock
 * @typedef {CardsBlock | ChipsBlock | DateBlock | ListBlock | FormBlock | FilesBlock} Block
 */

/**
 * @param {ContentItem[]} items
 * @param {string} [base] What a file's address is relative to.
 * @returns {Block[]} Cards, chips and files that follow each other are one block; chips stand last.
 */
export function blocksOf(items, base) {
  /** @type {Block[]} */
  const blocks = [];
  for (const item of items) {
    const block = blockOf(/** @type {any} */ (item), base);
    const last = blocks.at(-1);
    if (!block) continue;
    if (block.kind === "cards" && last?.kind === "cards") last.cards.push(...block.cards);
    else if (block.kind === "chips" && last?.kind === "chips") last.choices.push(...block.choices);
    else if (block.kind === "files" && last?.kind === "files") last.files.push(...block.files);
    else blocks.push(block);
  }
  return blocks.toSorted((one, other) => Number(one.kind === "chips") - Number(other.kind === "chips"));
}

/**
 * @param {any} item
 * @param {string} [base]
 * @returns {Block | undefined}
 */
function blockOf({ contentType, card, generic, carousel, quickReply, quickReplyV2, buttonResponse, datePicker, listPicker, form, attachment }, base) {
  switch (contentType) {
    case "Card":
    case "GenericTemplate":
    case "Carousel": {
      const cards = listOf(contentType === "Carousel" ? carousel?.cards : [card ?? generic], cardOf);
      return cards.length ? { kind: "cards", cards } : undefined;
    }
    case "QuickReply":
      return chips([quickReply]);
    case "QuickReplyV2":
      return chips(quickReplyV2?.actions, words(quickReplyV2?.title));
    case "ButtonResponse":
      return buttonResponse?.type === "QuickReply" ? chips([buttonResponse]) : undefined;
    case "DatePicker":
      return datePicker ? { kind: "date", heading: headingOf(datePicker), slots: slotsOf(datePicker) } : undefined;
    case "ListPicker": {
      const sections = sectionsOf(listPicker);
      const heading = headingOf(listPicker?.receivedMessage);
      const button = words(listPicker?.receivedMessage?.buttonLabel);
      return sections.length ? { kind: "list", heading, reply: headingOf(listPicker.replyMessage), sections, ...defined({ button }) } : undefined;
    }
    case "Form": {
      const parsed = formOf(form);
      return parsed && { kind: "form", form: parsed };
    }
    case "Attachment": {
      const file = fileOf(attachment, base);
      return file && { kind: "files", files: [file] };
    }
    default:
      return undefined;
  }
}

/**
 * @param {unknown} given
 * @param {string} [title]
 * @returns {ChipsBlock | undefined}
 */
function chips(given, title) {
  const choices = listOf(given, choiceOf);
  return choices.length ? { kind: "chips", choices, ...defined({ title }) } : undefined;
}

/** @param {any} given @returns {Choice | undefined} */
function choiceOf(given) {
  const text = words(given?.text);
  if (!text || typeof given.payload !== "string") return undefined;
  return { text, payload: given.payload, ...defined({ image: safeImageUrl(given.image) }) };
}

/** @param {any} given @returns {Card | undefined} */
function cardOf(given) {
  const title = words(given?.title);
  if (!title) return undefined;
  const { description, image, actions, defaultAction } = given;
  const href = /^link$/iu.test(defaultAction?.type ?? "") ? safeUrl(defaultAction.url) : undefined;
  return {
    title,
    actions: listOf(actions, actionOf),
    ...defined({ description: words(description), image: safeImageUrl(image), href }),
  };
}

/** @param {any} given @returns {CardAction | undefined} */
function actionOf(given) {
  const text = words(given?.text);
  if (!text) return undefined;
  if (/^(?:postback|button)$/iu.test(given.type)) return { text, payload: typeof given.payload === "string" ? given.payload : text };
  const href = /^link$/iu.test(given.type) ? safeUrl(given.url) : undefined;
  return href ? { text, href } : undefined;
}

/** @param {any} given @returns {Heading} */
export function headingOf(given) {
  return defined({ title: words(given?.title ?? given?.header), subtitle: words(given?.subtitle), image: safeImageUrl(given?.imageUrl) });
}

/** @param {any} picker @returns {Slot[]} In their order. */
export function slotsOf(picker) {
  return listOf(picker?.availableTimes, (time) => {
    const at = parseTime(words(time?.dateTime));
    return at === undefined ? undefined : { at, iso: time.dateTime };
  }).sort((one, other) => one.at - other.at);
}

/** @param {any} picker @returns {Section[]} */
export function sectionsOf(picker) {
  const sections = listOf(picker?.sections, (given) => ({
    title: words(given?.title) ?? "",
    isMultiple: given?.multipleSelection === true,
    items: listOf(given?.items, (item) => {
      const id = words(item?.id);
      const title = words(item?.title);
      return id && title ? { id, title, ...defined({ subtitle: words(item.subtitle), image: safeImageUrl(item.imageUrl) }) } : undefined;
    }),
  }));
  return sections.filter(({ items }) => items.length);
}

/**
 * @param {any} given
 * @param {string} [base]
 * @returns {File | undefined}
 */
function fileOf(given, base) {
  if (typeof given !== "object" || given === null) return undefined;
  const { filename, mediaType, url, fileSize, text, mime } = given;
  const type = String(mediaType ?? mime ?? "").toLowerCase();
  const kind = /** @type {File["kind"] | undefined} */ (/^(?:image|video|audio|link)/u.exec(type)?.[0]) ?? "file";
  const href = kind === "link" ? safeUrl(url) : safeImageUrl(url, base);
  const name = words(filename) ?? words(text) ?? href;
  if (!name) return undefined;
  return { name, kind, ...defined({ href, text: words(text), size: fileSize >= 0 ? Number(fileSize) : undefined }) };
}

// --- answers

/**
 * @param {"Button" | "QuickReply" | "DatePicker" | "ListPicker"} type
 * @param {Choice[]} choices
 * @param {string} [to] What they answer.
 * @returns {ContentItem[]}
 */
export function answerOf(type, choices, to) {
  return choices.map(({ text, payload }) => ({
    contentType: "ButtonResponse",
    buttonResponse: { type, text, payload, ...(to !== undefined && { originatingMessageId: to }) },
  }));
}

/**
 * @param {MessageRow | undefined} answer
 * @returns {Set<string>} The payloads that were chosen.
 */
export function chosenIn(answer) {
  return new Set(listOf(answer?.content, (item) => words(/** @type {any} */ (item)?.buttonResponse?.payload)));
}

/**
 * What of rich content can be said in words.
 *
 * @param {ContentItem[]} items
 * @returns {{ titles: string[], choices: string[] }}
 */
export function contentWords(items) {
  /** @type {string[]} */
  const titles = [];
  /** @type {string[]} */
  const choices = [];
  /** @param {Heading} heading */
  const say = ({ title, subtitle }) => titles.push(...[title, subtitle].filter((one) => one !== undefined));
  for (const block of blocksOf(items)) {
    if (block.kind === "cards") titles.push(...block.cards.map(({ title }) => title));
    else if (block.kind === "files") titles.push(...block.files.map(({ name }) => name));
    else if (block.kind === "chips") choices.push(...block.choices.map(({ text }) => text));
    else if (block.kind === "form") say(block.form.heading);
    else say(block.heading);
  }
  return { titles, choices };
}

// --- checks

/**
 * @template Result
 * @param {unknown} given
 * @param {(item: any) => Result | undefined} parse
 * @returns {Result[]}
 */
export function listOf(given, parse) {
  return Array.isArray(given) ? given.map(parse).filter((item) => item !== undefined) : [];
}

/** @param {unknown} value @returns {string | undefined} */
export function words(value) {
  return typeof value === "string" && value.trim() ? value : undefined;
}

/**
 * @template {Record<string, unknown>} Value
 * @param {Value} value
 * @returns {{ [Key in keyof Value]?: Exclude<Value[Key], undefined> }} Without what is undefined.
 */
export function defined(value) {
  return /** @type {any} */ (Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)));
}
