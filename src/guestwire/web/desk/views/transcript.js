/**
 * What was said: rows that keep their nodes, the end followed only while the reader is there.
 *
 * @import { Conversation, PendingMessage } from "../core/types.js"
 * @import { Row } from "../core/rows.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { transcriptRows } from "../core/rows.js";
import { typing } from "../core/selectors.js";
import { h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { icon } from "./icons.js";
import { miniature } from "./content.js";
import { guestName, linkedText, senderName } from "./parts.js";

/** Nearer to the end than this, in CSS pixels, counts as at the end. */
const SLACK_PX = 48;
/** One and the same empty list, so that nothing pending is no change. @type {readonly PendingMessage[]} */
const NOTHING = [];

/**
 * @param {Words} words
 * @param {{ onRead: () => void }} intents `onRead`: the end of the transcript is in view.
 */
export function createTranscript(words, { onRead }) {
  /** @type {string | undefined} */
  let shownId;
  let isAtEnd = true;
  let lastTop = 0;
  /** @type {readonly unknown[]} What was drawn last: the same again is not drawn. */
  let drawn = [];
  let lastCount = 0;
  let missed = 0;

  const rows = h("div", { class: "rows-said" });
  const typingText = h("span", {});
  const typingRow = h("p", { class: "typing", hidden: true }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), typingText);
  // Silent itself: the announcer says what is new, in its own words and once.
  const log = h("div", { class: "log", role: "log", "aria-live": "off", "aria-label": words.conversation.transcript, tabindex: 0 }, rows, typingRow);
  const pillText = h("span");
  const pill = h("button", { type: "button", class: "pill", hidden: true }, icon("down"), pillText);
  const element = h("div", { class: "transcript" }, log, pill);

  log.addEventListener("scroll", () => {
    // Only going up leaves the end: a log that becomes lower (keyboard, templates) also ends up away from it.
    const gap = log.scrollHeight - log.scrollTop - log.clientHeight;
    if (gap < SLACK_PX) isAtEnd = true;
    else if (log.scrollTop < lastTop) isAtEnd = false;
    lastTop = log.scrollTop;
    if (isAtEnd) arrive();
  }, { passive: true });
  onPress(pill, () => {
    toEnd();
    log.focus();
  });
  // A phone's keyboard, a longer composer: what was at the end stays there.
  new ResizeObserver(() => {
    if (isAtEnd) toEnd();
  }).observe(log);

  function toEnd() {
    isAtEnd = true;
    log.scrollTop = log.scrollHeight;
    lastTop = log.scrollTop;
    arrive();
  }

  function arrive() {
    missed = 0;
    drawPill();
    onRead();
  }

  function drawPill() {
    show(pill, !isAtEnd && missed > 0);
    setText(pillText, words.conversation.newMessages(missed));
  }

  return {
    element,
    focus: () => log.focus(),
    /** @param {Model} model @param {Conversation} conversation */
    update(model, conversation) {
      const { state, now, format } = model;
      const pending = state.work.pending.get(conversation.id) ?? NOTHING;
      const isOther = shownId !== conversation.id;
      const today = format.dayOf(now);
      const typists = typing(state, conversation, now);
      const isTyping = typists.length > 0;
      setText(typingText, isTyping ? typingWords(typists[0], conversation, words) : "");
      if (typingRow.hidden === isTyping) {
        typingRow.hidden = !isTyping;
        if (isAtEnd) toEnd();
      }
      const { myName } = state.work;
      const wanted = [conversation.entries, pending, today, myName];
      if (isOther || wanted.some((one, index) => one !== drawn[index])) {
        drawn = wanted;
        syncChildren(
          rows,
          transcriptRows(conversation.entries, pending, format.dayOf),
          (row) => `${conversation.id} ${myName} ${row.key}`,
          (row) => createRow(row, model, conversation),
          (node, row) => {
            if (row.kind === "day") setText(node, format.day(row.at, now));
            if (row.kind === "message") setAttribute(node, "data-first", row.isFirst);
          },
        );
        const grown = conversation.entries.length + pending.length - lastCount;
        lastCount = conversation.entries.length + pending.length;
        if (isOther || isAtEnd || pending.length > 0) toEnd();
        else missed += Math.max(0, grown);
        drawPill();
      }
      shownId = conversation.id;
    },
    /** Whether the newest row is in view. */
    isAtEnd: () => isAtEnd,
  };
}

/** @param {import("../core/types.js").Sender | undefined} from @param {Conversation} conversation @param {Words} words */
function typingWords(from, conversation, words) {
  if (from === "bot") return words.conversation.typing.bot;
  if (from === "agent") return words.conversation.typing.agent;
  return words.conversation.typing.guest(guestName(conversation.guest, words));
}

/** @param {Row} row @param {Model} model @param {Conversation} conversation @returns {HTMLElement} */
function createRow(row, { state, words, format }, conversation) {
  if (row.kind === "day") return h("p", { class: "said-day" });
  const { entry } = row;
  const time = h("time", { datetime: new Date(entry.at).toISOString(), title: format.exact(entry.at) }, format.time(entry.at));
  if (row.kind === "system") return h("p", { class: "said-system" }, h("span", { dir: "auto" }, entry.text), " ", time);

  const isMine = entry.from === "agent" && (row.isPending || entry.name === undefined || entry.name === state.work.myName);
  const spoken = entry.name ?? (entry.from === "guest" ? guestName(conversation.guest, words) : undefined);
  const name = isMine ? words.from.you : senderName(entry.from, spoken, words);
  const content = entry.content?.length ? miniature(entry.content, words) : [];
  const isChoice = entry.content?.some((one) => one.contentType === "ButtonResponse" && one.buttonResponse?.text === entry.text);
  return h(
    "article",
    { class: "said", "data-from": entry.from, "data-mine": isMine, "data-pending": row.isPending },
    h("header", { class: "said-head" }, entry.from === "bot" && icon("bot"), h("span", { class: "said-name", dir: "auto" }, name), time),
    entry.text !== "" && !isChoice && h("p", { class: "bubble", dir: "auto" }, ...linkedText(entry.text)),
    content.length > 0 && h("div", { class: "miniature" }, ...content),
    row.isPending && h("p", { class: "said-state" }, words.conversation.sending),
  );
}
