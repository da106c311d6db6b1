/**
 * What was said: rows that keep their nodes, the end followed only while the reader is there.
 *
 * @import { Conversation, PendingMessage } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { answered } from "../core/answers.js";
import { transcriptRows } from "../core/rows.js";
import { hasMarkdown, typing } from "../core/selectors.js";
import { h, onPress, setText, show, syncChildren } from "./dom.js";
import { icon } from "./icons.js";
import { guestName } from "./parts.js";
import { createRow, updateRow } from "./said.js";


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

  /** @param {string} entryId */
  function showEntry(entryId) {
    const row = rows.querySelector(`[data-entry="${CSS.escape(entryId)}"]`);
    if (!(row instanceof HTMLElement)) return;
    isAtEnd = false;
    row.scrollIntoView({ block: "center" });
    row.focus();
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
      const markdown = hasMarkdown(state.desk, conversation);
      const wanted = [conversation.entries, pending, today, myName, markdown];
      if (isOther || wanted.some((one, index) => one !== drawn[index])) {
        drawn = wanted;
        const done = answered(conversation.entries);
        syncChildren(
          rows,
          transcriptRows(conversation.entries, pending, format.dayOf),
          (row) => `${conversation.id} ${myName} ${markdown} ${row.key}`,
          (row) => createRow(row, model, conversation, showEntry),
          (node, row) => updateRow(node, row, model, done),
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
