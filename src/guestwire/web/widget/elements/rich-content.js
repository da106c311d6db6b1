/**
 * Draw a message's rich content: quick replies, cards, carousels. A choice becomes the request `chat-answer`. What can't
 * be drawn is left out here and shown as the message's `text`.
 */

/** @import { ContentItem, MessageRow } from "../core/types.js" */

/**
 * @typedef {{ text: string, payload: string, action?: string, image?: string }} QuickReply
 * @typedef {{ type: string, text?: string, url?: string, payload?: string }} CardAction
 * @typedef {{ title: string, description?: string, image?: string, actions?: CardAction[], defaultAction?: CardAction }} Card
 */
/** @import { Words } from "../core/words.js" */

import { safeImageUrl, safeUrl } from "../core/richtext.js";
import { el, request } from "./dom.js";
import { drawLink } from "./rich-text.js";

/**
 * @param {MessageRow} row
 * @param {Words} words
 * @returns {{ cards?: HTMLElement, chips?: HTMLElement }}
 */
export function drawContent(row, words) {
  const items = row.content ?? [];
  const cards = items.flatMap(cardsOf);
  const replies = items.map(quickReplyOf).filter((reply) => reply !== undefined);
  /** @type {{ cards?: HTMLElement, chips?: HTMLElement }} */
  const drawn = {};
  if (cards.length) {
    drawn.cards = el(
      "div",
      { class: "cards", part: "cards", role: "list", "aria-label": words.say("cards"), tabindex: cards.length > 1 && 0 },
      ...cards.map((card) => drawCard(card, row)),
    );
  }
  if (replies.length) {
    drawn.chips = el(
      "div",
      { class: "chips", part: "quick-replies", role: "group", "aria-label": words.say("choices") },
      ...replies.map((reply) => answerButton("QuickReply", reply.text, reply.payload, row, "chip")),
    );
  }
  return drawn;
}

/**
 * What of rich content can be said in words.
 *
 * @param {ContentItem[]} items
 * @returns {{ titles: string[], choices: string[] }}
 */
export function contentWords(items) {
  const replies = items.map(quickReplyOf).filter((reply) => reply !== undefined);
  return { titles: items.flatMap(cardsOf).map(({ title }) => title), choices: replies.map(({ text }) => text) };
}

/**
 * @param {Card} card
 * @param {MessageRow} row
 */
function drawCard(card, row) {
  const drawn = el("div", { class: "card", part: "card", role: "listitem", dir: "auto" });
  const image = safeImageUrl(card.image);
  if (image) {
    const img = el("img", { class: "card-image", alt: "", loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
    img.addEventListener("error", () => img.remove(), { once: true });
    img.src = image;
    drawn.append(img);
  }
  drawn.append(el("p", { class: "card-title" }, card.title));
  if (isText(card.description)) drawn.append(el("p", { class: "card-text" }, card.description));
  const actions = Array.isArray(card.actions) ? card.actions : [];
  const buttons = actions.map((action) => drawAction(action, row)).filter((button) => button !== undefined);
  if (buttons.length) drawn.append(el("div", { class: "card-actions" }, ...buttons));
  return drawn;
}

/**
 * @param {CardAction} action
 * @param {MessageRow} row
 */
function drawAction(action, row) {
  const { type, text, url, payload } = action ?? {};
  if (!isText(text)) return undefined;
  if (type === "Postback") return answerButton("Button", text, isText(payload) ? payload : text, row, "card-action");
  const href = safeUrl(url);
  if (!href) return undefined;
  const link = drawLink(href, text);
  link.className = "button card-action";
  return link;
}

/**
 * @param {"QuickReply" | "Button"} type
 * @param {string} text
 * @param {string} payload
 * @param {MessageRow} row
 * @param {string} className
 */
function answerButton(type, text, payload, row, className) {
  const button = el(
    "button",
    { type: "button", class: `button ${className}`, part: type === "QuickReply" ? "quick-reply" : "card-button", dir: "auto" },
    text,
  );
  /** @type {ContentItem} */
  const answer = {
    contentType: "ButtonResponse",
    buttonResponse: { type, text, payload, ...(row.id && { originatingMessageId: row.id }) },
  };
  button.addEventListener("click", () => request(button, "chat-answer", { text, content: [answer] }));
  return button;
}

/**
 * @param {ContentItem} item
 * @returns {QuickReply | undefined}
 */
function quickReplyOf(item) {
  const reply = /** @type {any} */ (item.contentType === "QuickReply" ? item.quickReply : undefined);
  return isText(reply?.text) && isText(reply.payload) ? reply : undefined;
}

/**
 * @param {ContentItem} item
 * @returns {Card[]}
 */
function cardsOf(item) {
  const { contentType, card, carousel } = /** @type {any} */ (item);
  const cards = contentType === "Card" ? [card] : contentType === "Carousel" ? carousel?.cards : [];
  return Array.isArray(cards) ? cards.filter((given) => isText(given?.title)) : [];
}

/**
 * @param {unknown} value
 * @returns {value is string}
 */
function isText(value) {
  return typeof value === "string" && value !== "";
}
