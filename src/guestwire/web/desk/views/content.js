/**
 * Rich content in miniature: what the guest sees, drawn small and not to be pressed (links excepted).
 *
 * @import { Card, ContentItem } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 */

import { imageUrl, safeUrl } from "../core/text.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @param {readonly ContentItem[]} items
 * @param {Words} words
 * @param {{ isInert?: boolean }} [options] `isInert`: inside a button, where no link may be.
 * @returns {Node[]}
 */
export function miniature(items, words, { isInert = false } = {}) {
  /** @type {Node[]} */
  const nodes = [];
  const replies = items.filter((one) => one.contentType === "QuickReply" && one.quickReply);
  if (replies.length) {
    const chips = replies.map((one) => h("li", { class: "chip", dir: "auto" }, one.quickReply?.text ?? ""));
    nodes.push(isInert ? inertList(replies) : h("ul", { class: "chips", "aria-label": words.content.quickReplies }, ...chips));
  }
  for (const item of items) {
    if (item.contentType === "Card" && item.card) {
      nodes.push(card(item.card, words, isInert));
    } else if (item.contentType === "Carousel" && item.carousel) {
      nodes.push(carousel(item.carousel.cards, words, isInert));
    } else if (item.contentType === "ButtonResponse") {
      nodes.push(h("span", { class: "chosen" }, icon("check"), h("span", {}, words.content.chosen), ` ${item.buttonResponse?.text ?? ""}`));
    } else if (!replies.includes(item)) {
      nodes.push(h("span", { class: "unknown-content" }, words.content.unknown(item.contentType)));
    }
  }
  return nodes;
}

/** @param {readonly ContentItem[]} replies */
function inertList(replies) {
  return h("span", { class: "chips" }, ...replies.map((one) => h("span", { class: "chip" }, one.quickReply?.text ?? "")));
}

/** @param {readonly Card[]} cards @param {Words} words @param {boolean} isInert */
function carousel(cards, words, isInert) {
  const drawn = cards.map((one) => card(one, words, isInert));
  if (isInert) return h("span", { class: "carousel" }, ...drawn);
  return h("div", { class: "carousel", role: "group", tabindex: 0, "aria-label": words.content.carousel }, ...drawn);
}

/** @param {Card} value @param {Words} words @param {boolean} isInert */
function card(value, words, isInert) {
  const actions = (value.actions ?? []).map((action) => {
    const url = action.type === "Link" ? safeUrl(action.url) : undefined;
    if (!url || isInert) return h("span", { class: "card-action", dir: "auto" }, action.text);
    return h(
      "a",
      { class: "card-action", dir: "auto", href: url, target: "_blank", rel: "noopener noreferrer nofollow" },
      action.text,
      icon("link"),
    );
  });
  return h(
    "span",
    { class: "card" },
    value.image !== undefined && picture(value.image, words),
    h(
      "span",
      { class: "card-words" },
      h("strong", { class: "card-title", dir: "auto" }, value.title),
      value.description !== undefined && h("span", { class: "card-description", dir: "auto" }, value.description),
    ),
    actions.length > 0 && h("span", { class: "card-actions" }, ...actions),
  );
}

/**
 * The picture's place; the picture takes it once it has come. The page's policy may forbid it: the place stays.
 *
 * @param {string} source
 * @param {Words} words
 */
function picture(source, words) {
  const frame = h("span", { class: "card-image" }, icon("image"), h("span", { class: "visually-hidden" }, words.content.noImage));
  const url = imageUrl(source);
  if (url === undefined) return frame;
  const image = h("img", { alt: "", referrerpolicy: "no-referrer", src: url });
  image.addEventListener("load", () => frame.replaceChildren(image), { once: true });
  return frame;
}
