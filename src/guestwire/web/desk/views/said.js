/**
 * One row of the transcript: a day, a line of the system, or something said with its content and its answers.
 *
 * @import { Conversation, Entry } from "../core/types.js"
 * @import { Row } from "../core/rows.js"
 * @import { Model } from "./parts.js"
 */

import { answeredForm, isQuestion } from "../core/answers.js";
import { hasMarkdown } from "../core/selectors.js";
import { imageUrl } from "../core/text.js";
import { createAnswer } from "./answer.js";
import { miniature } from "./content.js";
import { h, setAttribute, setText } from "./dom.js";
import { icon } from "./icons.js";
import { guestName, senderName } from "./parts.js";
import { formatted } from "./rich-text.js";

/**
 * @param {Row} row
 * @param {Model} model
 * @param {Conversation} conversation
 * @param {(entryId: string) => void} onShow Bring another row into view.
 * @returns {HTMLElement}
 */
export function createRow(row, model, conversation, onShow) {
  const { words, format } = model;
  if (row.kind === "day") return h("p", { class: "said-day" });
  const { entry } = row;
  const time = h("time", { datetime: new Date(entry.at).toISOString(), title: format.exact(entry.at) }, format.time(entry.at));
  if (row.kind === "system") return h("p", { class: "said-system" }, h("span", { dir: "auto" }, entry.text), " ", time);

  const { name, isMine } = speaker(entry, row.isPending, model, conversation);
  const markdown = hasMarkdown(model.state.desk, conversation);
  const answer = createAnswer(entry, conversation.entries, { ...model, markdown }, onShow);
  const offered = (entry.content ?? []).filter((one) => entry.from !== "guest" || (one.contentType !== "ButtonResponse" && !one.form?.response));
  return h(
    "article",
    { class: "said", tabindex: -1, "data-entry": entry.id, "data-from": entry.from, "data-mine": isMine, "data-pending": row.isPending },
    h(
      "header",
      { class: "said-head" },
      face(entry),
      h("span", { class: "said-name", dir: "auto" }, name),
      entry.authenticated && h("span", { class: "said-mark", title: words.guest.signedInMark }, icon("lock"), h("span", { class: "visually-hidden" }, words.guest.signedInMark)),
      time,
    ),
    answer,
    entry.text !== "" && !isSaidByAnswer(entry) && h("div", { class: "bubble", dir: "auto" }, ...formatted(entry.text, { markdown, isOutbound: entry.from !== "guest" })),
    offered.length > 0 && h("div", { class: "miniature" }, ...miniature(offered, model)),
    row.isPending && h("p", { class: "said-state" }, words.conversation.sending),
    isQuestion(entry) && h("p", { class: "said-state said-answered", hidden: true }, icon("check"), words.content.answered),
  );
}

/** @param {Entry} entry @returns {Node | false} The sender's picture, as the guest sees it; a bot is marked without one, too. */
function face({ from, avatar }) {
  const url = imageUrl(avatar);
  const mark = from === "bot" && icon("bot");
  if (url === undefined) return mark;
  const image = h("img", { class: "said-face", alt: "", referrerpolicy: "no-referrer", src: url });
  image.addEventListener("error", () => image.replaceWith(...(mark ? [mark] : [])), { once: true });
  return image;
}

/** @param {HTMLElement} node @param {Row} row @param {Model} model @param {ReadonlySet<string>} answered Ids of questions. */
export function updateRow(node, row, { format, now }, answered) {
  if (row.kind === "day") setText(node, format.day(row.at, now));
  if (row.kind !== "message") return;
  setAttribute(node, "data-first", row.isFirst);
  const mark = node.querySelector(":scope > .said-answered");
  if (mark) setAttribute(mark, "hidden", !answered.has(row.entry.id));
}

/** @param {Entry} entry @param {boolean} isPending @param {Model} model @param {Conversation} conversation */
function speaker(entry, isPending, { state, words }, conversation) {
  const isMine = entry.from === "agent" && (isPending || entry.name === undefined || entry.name === state.work.myName);
  const spoken = entry.name ?? (entry.from === "guest" ? guestName(conversation.guest, words) : undefined);
  return { isMine, name: isMine ? words.from.you : senderName(entry.from, spoken, words) };
}

/** @param {Entry} entry @returns {boolean} Whether its text is what the answer below it says already. */
function isSaidByAnswer(entry) {
  if (entry.from !== "guest") return false;
  return answeredForm(entry) !== undefined || (entry.content ?? []).some((one) => one.buttonResponse?.text === entry.text);
}
