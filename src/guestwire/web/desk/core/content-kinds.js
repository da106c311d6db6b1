/**
 * The kinds of rich content that an agent can make, as a table: which fields each has, and how they stand on the wire.
 *
 * An editor draws the fields, `content-value.js` reads, checks and cleans the values. A value has the wire's own shape;
 * only quick replies differ, which are one item each.
 *
 * @import { ContentItem } from "./types.js"
 *
 * @typedef {Record<string, unknown>} Value
 * @typedef {{ field: string, is: string }} Condition Shown, and kept, only while the field beside it has this value.
 * @typedef {object} PlainField
 * @property {"text" | "long" | "url" | "check" | "choice" | "moment" | "minutes"} type A moment is ISO 8601 in UTC on the
 *   wire, minutes are seconds there.
 * @property {string} name The member on the wire; also the key of its words.
 * @property {boolean} [isRequired]
 * @property {boolean} [isId] Made from the title beside it when left empty.
 * @property {readonly string[]} [options] Of a choice; the first is the default.
 * @property {Condition} [when]
 * @typedef {{ type: "group", name: string, fields: ReadonlyArray<Field>, when?: Condition, isKept?: boolean }} GroupField Left
 *   out when all in it is empty, unless `isKept`.
 * @typedef {{ type: "list", name: string, fields: ReadonlyArray<Field>, min: number, max: number, when?: Condition }} ListField
 * @typedef {PlainField | GroupField | ListField} Field
 *
 * @typedef {object} Kind
 * @property {KindName} name
 * @property {readonly Field[]} fields
 * @property {(value: Value) => ContentItem[]} toItems
 * @property {(items: readonly ContentItem[]) => Value | undefined} fromItems Undefined when the items are of another kind.
 */

/** @typedef {"quick-replies" | "card" | "carousel" | "date-picker" | "list-picker" | "form"} KindName */

/** @param {string} name @param {PlainField["type"]} [type] @returns {PlainField} */
const optional = (name, type = "text") => ({ name, type });
/** @param {string} name @param {PlainField["type"]} [type] @returns {PlainField} */
const required = (name, type = "text") => ({ name, type, isRequired: true });
/** @param {string} name @returns {PlainField} */
const id = (name) => ({ name, type: "text", isId: true });
/** @param {string} name @param {readonly Field[]} fields @param {number} min @param {number} max @returns {ListField} */
const list = (name, fields, min, max) => ({ type: "list", name, fields, min, max });
/** @param {string} name @param {readonly Field[]} fields @returns {GroupField} */
const group = (name, fields) => ({ type: "group", name, fields });
/**
 * @template {Field} Some
 * @param {string} field
 * @param {string} is
 * @param {Some} shown
 * @returns {Some}
 */
const when = (field, is, shown) => ({ ...shown, when: { field, is } });

/** @type {readonly Field[]} */
const CARD_ACTION = [
  { name: "type", type: "choice", options: ["Postback", "Link"] },
  required("text"),
  when("type", "Postback", required("payload")),
  when("type", "Link", required("url", "url")),
];

/** @type {readonly Field[]} A description and an action are asked for: the vendor's own app drops cards without. */
const CARD = [required("title"), required("description", "long"), optional("image", "url"), list("actions", CARD_ACTION, 1, 6)];

/** @type {readonly Field[]} */
const LIST_ITEM = [required("title"), optional("subtitle"), optional("imageUrl", "url"), id("id")];
/** @type {readonly Field[]} */
const SECTIONS = [list("sections", [required("title"), optional("multipleSelection", "check"), list("items", LIST_ITEM, 1, 30)], 1, 10)];
/** @type {readonly Field[]} */
const WORDS_AROUND = [optional("title"), optional("subtitle")];

/** @type {readonly Field[]} */
const INPUT = [
  required("title"),
  optional("placeholderText"),
  optional("isRequired", "check"),
  optional("isMultipleLine", "check"),
  { name: "keyboardType", type: "choice", options: ["Default", "Email", "Phone", "Number", "Decimal", "NumberPunctuation", "URL", "Websearch"] },
  id("id"),
];

/** @type {readonly Field[]} */
const FORM_COMPONENT = [
  { name: "formComponentType", type: "choice", options: ["Input", "DatePicker", "ListPicker", "WheelPicker"] },
  when("formComponentType", "Input", group("input", INPUT)),
  when("formComponentType", "DatePicker", group("datePicker", [
    required("title"),
    { name: "dateDisplayFormat", type: "choice", options: ["dayMonthYear", "monthDayYear", "yearMonthDay"] },
    id("id"),
  ])),
  when("formComponentType", "ListPicker", group("listPicker", [group("receivedMessage", WORDS_AROUND), ...SECTIONS, id("id")])),
  when("formComponentType", "WheelPicker", group("wheelPicker", [list("items", [required("title"), id("id")], 2, 30), id("id")])),
];

/** @type {readonly Kind[]} */
export const KINDS = [
  {
    name: "quick-replies",
    fields: [list("replies", [required("text"), optional("payload"), optional("image", "url")], 1, 20)],
    toItems: ({ replies }) =>
      /** @type {{ text: string, payload?: string }[]} */ (replies).map((one) => ({
        contentType: "QuickReply",
        quickReply: { ...one, payload: one.payload || one.text, action: "Message" },
      })),
    fromItems: (items) =>
      items.length > 0 && items.every((one) => one.contentType === "QuickReply" && one.quickReply)
        ? { replies: items.map((one) => withoutAction(one.quickReply)) }
        : undefined,
  },
  single("card", "Card", "card", CARD),
  single("carousel", "Carousel", "carousel", [list("cards", CARD, 1, 10)]),
  single("date-picker", "DatePicker", "datePicker", [
    required("title"),
    optional("subtitle"),
    optional("imageUrl", "url"),
    list("availableTimes", [required("dateTime", "moment"), required("duration", "minutes")], 1, 60),
  ]),
  single("list-picker", "ListPicker", "listPicker", [
    { ...group("receivedMessage", WORDS_AROUND), isKept: true },
    ...SECTIONS,
    { ...group("replyMessage", WORDS_AROUND), isKept: true },
  ]),
  single("form", "Form", "form", [
    group("introduction", [required("title"), optional("subtitle"), required("buttonText")]),
    list("formPages", [required("title"), optional("subtitle"), list("pageComponents", FORM_COMPONENT, 1, 10)], 1, 10),
    group("receivedMessage", WORDS_AROUND),
    group("replyMessage", WORDS_AROUND),
    optional("showSummary", "check"),
    id("cannedResponseId"),
  ]),
];

/**
 * @param {KindName} name
 * @param {string} contentType
 * @param {keyof ContentItem} member
 * @param {readonly Field[]} fields
 * @returns {Kind} A kind that is one item, with a value of the wire's own shape.
 */
function single(name, contentType, member, fields) {
  return {
    name,
    fields,
    toItems: (value) => [/** @type {ContentItem} */ (/** @type {unknown} */ ({ contentType, [member]: value }))],
    fromItems: ([item, ...more]) =>
      item?.contentType === contentType && more.length === 0 && typeof item[member] === "object"
        ? /** @type {Value} */ (item[member])
        : undefined,
  };
}

/** @param {object | undefined} reply @returns {Value} */
function withoutAction(reply) {
  const { action: _action, ...rest } = /** @type {Value} */ (reply ?? {});
  return rest;
}

/** @param {KindName} name @returns {Kind} */
export function kindOf(name) {
  return /** @type {Kind} */ (KINDS.find((one) => one.name === name));
}
