/**
 * Rich content in miniature: what the guest sees, drawn small and not to be pressed (links excepted).
 *
 * @import { Card, ContentItem, QuickReply } from "../core/types.js"
 * @import { Drawing } from "./parts.js"
 */

import { imageUrl, safeUrl } from "../core/text.js";
import { createAttachment } from "./attachment.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { datePicker, formSheet, listPicker } from "./pickers.js";

/**
 * @param {readonly ContentItem[]} items Answers are no content here: `answer.js` draws them.
 * @param {Drawing} drawing
 * @returns {Node[]}
 */
export function miniature(items, drawing) {
  const replies = items.flatMap((one) => (one.contentType === "QuickReply" && one.quickReply ? [one.quickReply] : []));
  const others = items.filter((one) => !one.quickReply || one.contentType !== "QuickReply");
  return [...(replies.length ? [chips(replies, drawing)] : []), ...others.map((one) => draw(one, drawing))];
}

/** @param {ContentItem} item @param {Drawing} drawing @returns {Node} */
function draw(item, drawing) {
  const { words } = drawing;
  switch (item.contentType) {
    case "Card":
      if (item.card) return card(item.card, drawing);
      break;
    case "Carousel":
      if (item.carousel) return carousel(item.carousel.cards, drawing);
      break;
    case "QuickReplyV2":
      if (item.quickReplyV2) {
        return h("div", { class: "sheet" }, h("strong", { dir: "auto" }, item.quickReplyV2.title), chips(item.quickReplyV2.actions, drawing));
      }
      break;
    case "ButtonResponse":
      if (item.buttonResponse) return chips([item.buttonResponse], drawing);
      break;
    case "DatePicker":
      if (item.datePicker) return datePicker(item.datePicker, drawing);
      break;
    case "ListPicker":
      if (item.listPicker) return listPicker(item.listPicker, drawing);
      break;
    case "Form":
      if (item.form) return formSheet(item.form, drawing);
      break;
    case "Attachment":
      if (item.attachment) return createAttachment(item.attachment, drawing);
      break;
    case "Text":
      if (item.text) return h("p", { class: "sheet", dir: "auto" }, item.text.body);
      break;
    default:
  }
  return h("p", { class: "unknown-content" }, words.content.unknown(item.contentType));
}

/** @param {readonly QuickReply[]} replies @param {Drawing} drawing */
function chips(replies, { words }) {
  return h(
    "ul",
    { class: "chips", "aria-label": words.content.quickReplies },
    ...replies.map((one) => h("li", { class: "chip", dir: "auto" }, one.image !== undefined && thumbnail(one.image), one.text)),
  );
}

/** @param {string} source */
function thumbnail(source) {
  const url = imageUrl(source);
  return url !== undefined && h("img", { class: "chip-image", alt: "", referrerpolicy: "no-referrer", src: url });
}

/** @param {readonly Card[]} cards @param {Drawing} drawing */
function carousel(cards, drawing) {
  return h(
    "div",
    { class: "carousel", role: "group", tabindex: 0, "aria-label": drawing.words.content.carousel },
    ...cards.map((one) => card(one, drawing)),
  );
}

/** @param {Card} value @param {Drawing} drawing */
function card(value, { words }) {
  const actions = (value.actions ?? []).map((action) => {
    const url = action.type === "Link" ? safeUrl(action.url) : undefined;
    if (!url) return h("span", { class: "card-action", dir: "auto" }, action.text);
    return h(
      "a",
      { class: "card-action", dir: "auto", href: url, target: "_blank", rel: "noopener noreferrer nofollow" },
      action.text,
      icon("link"),
    );
  });
  return h(
    "div",
    { class: "card" },
    value.image !== undefined && picture(value.image, words.content.noImage),
    h(
      "div",
      { class: "card-words" },
      h("strong", { class: "card-title", dir: "auto" }, value.title),
      value.description !== undefined && h("p", { class: "card-description", dir: "auto" }, value.description),
    ),
    actions.length > 0 && h("div", { class: "card-actions" }, ...actions),
  );
}

/**
 * The picture's place; the picture takes it once it has come. The page's policy may forbid it: the place stays.
 *
 * @param {string} source
 * @param {string} name
 */
function picture(source, name) {
  const frame = h("div", { class: "card-image" }, icon("image"), h("span", { class: "visually-hidden" }, name));
  const url = imageUrl(source);
  if (url === undefined) return frame;
  const image = h("img", { alt: "", referrerpolicy: "no-referrer", src: url });
  image.addEventListener("load", () => frame.replaceChildren(image), { once: true });
  return frame;
}
