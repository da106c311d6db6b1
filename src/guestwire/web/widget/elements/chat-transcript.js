/** @import { UiState } from "../core/state.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Item } from "./chat-message.js" */
/** @import { View } from "./view.js" */

import { answerableFrom, areOneGroup, composerMode, remedyOf, shownRows } from "../core/shown.js";
import { startOfDay } from "../core/words.js";
import { RowView } from "./chat-message.js";
import { el, icon, register, request, setAttributes, setText } from "./dom.js";
import { nameOf } from "./view.js";

/** Who is this close to the end, in CSS pixels, is at the end. */
const SLACK_PX = 48;

/**
 * The messages. It follows the end only while the reader is there; else it keeps the place and shows a pill with the
 * number of new messages.
 */
export class ChatTranscriptElement extends HTMLElement {
  static define(tag = "guest-chat-transcript", registry = customElements) {
    register(this, tag, registry);
  }

  // In the direction of its words, at the page's own side.
  #introTitle = el("bdi");
  #introWords = el("bdi");
  #introText = el("p", { class: "intro-text" }, this.#introWords);
  #rows = el("ol", { class: "rows", role: "list" });
  #typingText = el("span", { class: "typing-text" });
  #typing = el(
    "p",
    { class: "typing", part: "typing", hidden: true },
    el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")),
    this.#typingText,
  );
  #unattended = el("p", { class: "unattended", part: "unattended", hidden: true });
  #content = el(
    "div",
    { class: "content" },
    el(
      "div",
      { class: "intro", part: "intro" },
      el("slot", { name: "intro" }, el("p", { class: "intro-title" }, this.#introTitle), this.#introText),
    ),
    this.#rows,
    this.#unattended,
    this.#typing,
  );
  // The announcer speaks; a log that spoke too would say everything twice.
  #scroller = el("div", { class: "scroller", part: "log", role: "log", "aria-live": "off", tabindex: 0 }, this.#content);
  #pillText = el("span", { class: "pill-text" });
  #pill = el("button", { type: "button", class: "pill", part: "pill", hidden: true }, this.#pillText, icon("down"));
  /** @type {Map<string, RowView>} */
  #views = new Map();
  #isAtEnd = true;
  /** Where the reader was last. */
  #top = 0;
  #resizes = new ResizeObserver(() => this.#followEnd());

  connectedCallback() {
    this.#resizes.observe(this.#scroller);
    this.#resizes.observe(this.#content);
    if (this.firstChild) {
      // Being moved in the page has taken the place away.
      if (!this.#isAtEnd) this.#scroller.scrollTop = this.#top;
      return;
    }
    this.append(this.#scroller, this.#pill);
    this.#scroller.addEventListener("scroll", () => this.#noteScroll(), { passive: true });
    this.#pill.addEventListener("click", () => {
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      this.focus();
    });
  }

  disconnectedCallback() {
    this.#resizes.disconnect();
  }

  /** @override */
  focus() {
    this.#scroller.focus({ preventScroll: true });
  }

  /** @param {View} view */
  set view({ state, words, now }) {
    setAttributes(this.#scroller, { "aria-label": words.say("transcript") });
    setText(this.#introTitle, words.say("welcome.title"));
    setText(this.#introWords, words.say("welcome.text"));
    setAttributes(this.#introText, { "data-off": composerMode(state) !== "on" });
    this.#showRows(itemsOf(state, words, now), words);
    this.#showTyping(state, words);
    setText(this.#unattended, words.say(state.isStuck ? "notice.stuck" : "notice.no-agent"));
    setAttributes(this.#unattended, { hidden: !state.isStuck && !state.isUnattended });
    setText(this.#pillText, state.unread ? words.say("pill", { n: state.unread }) : "");
    setAttributes(this.#pill, {
      hidden: state.isAtEnd,
      "aria-label": state.unread ? undefined : words.say("pill.none"),
    });
    this.#isAtEnd = state.isAtEnd;
    this.#followEnd();
  }

  /**
   * @param {Item[]} items
   * @param {Words} words
   */
  #showRows(items, words) {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, view] of this.#views) {
      if (keys.has(key)) continue;
      view.element.remove();
      this.#views.delete(key);
    }
    items.forEach((item, index) => {
      let view = this.#views.get(item.key);
      if (!view) this.#views.set(item.key, (view = new RowView()));
      view.show(item, words);
      const there = this.#rows.children[index];
      if (there !== view.element) this.#rows.insertBefore(view.element, there ?? null);
    });
  }

  /**
   * @param {UiState} state
   * @param {Words} words
   */
  #showTyping({ transcript }, words) {
    const from = transcript.typing.find((sender) => sender !== "guest");
    setAttributes(this.#typing, { hidden: from === undefined, "data-from": from === "bot" ? "bot" : "agent" });
    if (from === undefined) return;
    const name = nameOf(words, from, from === "agent" ? transcript.agentName : undefined);
    setText(this.#typingText, words.say("typing", { name }));
  }

  #noteScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    // Only going up leaves the end: what grows or is made narrower around a reader also ends up away from it.
    const isNear = scrollHeight - scrollTop - clientHeight <= SLACK_PX;
    const isAtEnd = isNear || (this.#isAtEnd && scrollTop >= this.#top);
    this.#top = scrollTop;
    if (isAtEnd === this.#isAtEnd) return;
    this.#isAtEnd = isAtEnd;
    request(this, "chat-scrolled", { isAtEnd });
  }

  #followEnd() {
    if (this.#isAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

/**
 * The transcript's rows with dividers between days, and what each needs to know of its neighbours.
 *
 * @param {UiState} state
 * @param {Words} words
 * @param {number} now
 * @returns {Item[]}
 */
function itemsOf(state, words, now) {
  const rows = shownRows(state);
  const firstAnswerable = answerableFrom(state);
  /** @type {Item[]} */
  const items = [];
  let day;
  for (const [index, { key, row }] of rows.entries()) {
    const at = row.kind === "message" ? row.sentAt : undefined;
    if (at !== undefined && startOfDay(at) !== day) {
      day = startOfDay(at);
      items.push({ key: `day ${key}`, kind: "day", at: day, text: words.day(at, now) });
    }
    if (row.kind === "notice") {
      items.push({ key, kind: "notice", row });
      continue;
    }
    const previous = rows[index - 1]?.row;
    const next = rows[index + 1]?.row;
    const waitMs = row.state === "waiting" ? (state.waitingUntil[key] ?? 0) - now : 0;
    items.push({
      key,
      kind: "message",
      row,
      isFirst: items.at(-1)?.kind === "day" || previous?.kind !== "message" || !areOneGroup(previous, row),
      isLast: next?.kind !== "message" || !areOneGroup(row, next),
      isAnswerable: index >= firstAnswerable,
      remedy: remedyOf(state, row),
      waitS: Math.max(0, Math.ceil(waitMs / 1000)),
    });
  }
  return items;
}
