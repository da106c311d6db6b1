/**
 * Draw a message's rich content. What can be answered stands in a `fieldset.answer`, which is disabled when no answer is
 * taken; a choice becomes the request `chat-answer`. Loaded when the first message with content comes.
 */

/** @import { ContentItem, MessageRow } from "../../core/types.js" */
/** @import { Words } from "../../core/words.js" */

import { answerOf, blocksOf } from "../../core/content.js";
import { el, icon, request } from "../dom.js";
import { drawCards } from "./cards.js";
import { drawFiles } from "./files.js";
import { drawForm } from "./form.js";
import { drawDatePicker, drawListPicker } from "./pickers.js";

/** @import { Choice, Heading } from "../../core/content.js" */

/**
 * What a drawing needs to know.
 *
 * @typedef {object} Place
 * @property {Words} words
 * @property {string} base The gateway, for addresses of files.
 * @property {string} [to] What an answer refers to.
 * @property {MessageRow} [answer] What the guest has answered.
 */

/**
 * @param {MessageRow} row
 * @param {Place} place
 * @returns {{ parts: HTMLElement[], chips?: HTMLFieldSetElement }}
 */
export function drawContent(row, place) {
  const blocks = blocksOf(row.content ?? [], place.base);
  /** @type {HTMLElement[]} */
  const parts = [];
  let chips;
  for (const block of blocks) {
    // The guest's own answers are in words.
    if (row.from === "guest" && block.kind !== "files") continue;
    switch (block.kind) {
      case "cards":
        parts.push(drawCards(block, place));
        break;
      case "files":
        parts.push(drawFiles(block, place));
        break;
      case "date":
        parts.push(drawDatePicker(block, place));
        break;
      case "list":
        parts.push(drawListPicker(block, place));
        break;
      case "form":
        parts.push(drawForm(block.form, place));
        break;
      default:
        chips = drawChips(block, place);
    }
  }
  return { parts, chips };
}

/**
 * @param {{ title?: string, choices: Choice[] }} block
 * @param {Place} place
 */
function drawChips({ title, choices }, place) {
  const { words, to, answer } = place;
  const chosen = answer?.content ? JSON.stringify(answer.content) : "";
  const buttons = choices.map(({ text, payload, image }) => {
    const button = el("button", { type: "button", class: "button chip", part: "quick-reply", dir: "auto" });
    if (image) button.append(drawImage(image, "chip-image"));
    button.append(text);
    if (answer && (chosen.includes(JSON.stringify(payload)) || (!chosen && answer.text === text))) {
      button.dataset.chosen = "";
      button.append(icon("check"), el("span", { class: "hidden-text" }, ` (${words.say("chosen")})`));
    }
    button.addEventListener("click", () => send(button, text, answerOf("QuickReply", [{ text, payload }], to), to));
    return button;
  });
  const group = el("div", { class: "chips", part: "quick-replies" }, ...buttons);
  const name = title ? el("legend", { class: "chips-title" }, el("bdi", {}, title)) : "";
  return el("fieldset", { class: "answer suggestions", "aria-label": title ? undefined : words.say("choices") }, name, group);
}

/**
 * @param {HTMLElement} from
 * @param {string} text
 * @param {ContentItem[]} content
 * @param {string} [inReplyTo]
 */
export function send(from, text, content, inReplyTo) {
  request(from, "chat-answer", { text, content, inReplyTo });
}

/**
 * A picture that says nothing the words don't.
 *
 * @param {string} src
 * @param {string} className
 */
export function drawImage(src, className) {
  const image = el("img", { class: className, alt: "", loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove(), { once: true });
  image.src = src;
  return image;
}

/**
 * @param {Heading} heading
 * @returns {HTMLElement[]} The title comes first.
 */
export function drawHeading({ title, subtitle, image }) {
  return [
    ...(title ? [el("p", { class: "panel-title" }, el("bdi", {}, title))] : []),
    ...(subtitle ? [el("p", { class: "panel-text" }, el("bdi", {}, subtitle))] : []),
    ...(image ? [drawImage(image, "panel-image")] : []),
  ];
}
