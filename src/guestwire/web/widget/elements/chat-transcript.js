/** @import { Shown } from "../core/shown.js" */
/** @import { UiState } from "../core/state.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Item } from "./chat-message.js" */
/** @import { View } from "./view.js" */

import { answerableFrom, answersIn, areOneGroup, composerMode, remedyOf, shownRows } from "../core/shown.js";
import { startOfDay } from "../core/words.js";
import { RowView } from "./chat-message.js";
import { el, icon, register, request, setAttributes, setText } from "./dom.js";
import { rich } from "./rich.js";
import { nameOf } from "./view.js";

/** So many rows are drawn; more when the reader goes up to them. */
const PAGE_ROWS = 50;

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
  #earlier = el("button", { type: "button", class: "button quiet earlier", part: "earlier", hidden: true });
  #content = el(
    "div",
    { class: "content" },
    el(
      "div",
      { class: "intro", part: "intro" },
      el("slot", { name: "intro" }, el("p", { class: "intro-title" }, this.#introTitle), this.#introText),
    ),
    this.#earlier,
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
  /** Key of the first row that is drawn. @type {string | undefined} */
  #first;
  /** @type {View | undefined} */
  #view;
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
    this.#earlier.addEventListener("click", () => this.#showEarlier());
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
  set view(view) {
    const { state, words } = view;
    this.#view = view;
    setAttributes(this.#scroller, { "aria-label": words.say("transcript") });
    setText(this.#introTitle, words.say("welcome.title"));
    setText(this.#introWords, words.say("welcome.text"));
    setAttributes(this.#introText, { "data-off": composerMode(state) !== "on" });
    this.#showRows(view);
    this.#showTyping(view);
    const queue = queueWords(words, state.queue);
    setText(this.#unattended, state.isStuck ? words.say("notice.stuck") : queue || words.say("notice.no-agent"));
    setAttributes(this.#unattended, { hidden: !state.isStuck && !queue && !state.isUnattended });
    setText(this.#earlier, words.say("earlier"));
    setText(this.#pillText, state.unread ? words.say("pill", { n: state.unread }) : "");
    setAttributes(this.#pill, {
      hidden: state.isAtEnd,
      "aria-label": state.unread ? undefined : words.say("pill.none"),
    });
    this.#isAtEnd = state.isAtEnd;
    this.#followEnd();
  }

  /** @param {View} view */
  #showRows(view) {
    const { state, words } = view;
    const shown = shownRows(state);
    const from = this.#firstIndex(shown, state.isAtEnd);
    this.#first = shown[from]?.key;
    setAttributes(this.#earlier, { hidden: from === 0 });
    const items = itemsOf(view, shown, from);
    const needsRich = !rich.isLoaded && items.some((item) => item.kind === "message" && item.row.content);
    if (needsRich) rich.load(this).then(() => rich.isLoaded && this.#view && this.isConnected && (this.view = this.#view));
    const keys = new Set(items.map((item) => item.key));
    for (const [key, row] of this.#views) {
      if (keys.has(key)) continue;
      row.element.remove();
      this.#views.delete(key);
    }
    items.forEach((item, index) => {
      let row = this.#views.get(item.key);
      if (!row) this.#views.set(item.key, (row = new RowView()));
      row.show(item, words);
      const there = this.#rows.children[index];
      if (there !== row.element) this.#rows.insertBefore(row.element, there ?? null);
    });
  }

  /**
   * Where the drawn rows begin: it stays while the reader is further up, and follows in large steps at the end.
   *
   * @param {Shown[]} shown
   * @param {boolean} isAtEnd
   */
  #firstIndex(shown, isAtEnd) {
    const known = this.#first === undefined ? -1 : shown.findLastIndex(({ key }) => key === this.#first);
    const isFine = known >= 0 && (!isAtEnd || shown.length - known <= 2 * PAGE_ROWS);
    // Few rows are all there; the first of them may be a late one.
    return isFine && shown.length > 2 * PAGE_ROWS ? known : shown.length > 2 * PAGE_ROWS ? shown.length - PAGE_ROWS : 0;
  }

  /** Draw a page more above, and keep the reader's place. */
  #showEarlier() {
    const { state } = this.#view ?? {};
    const top = this.#rows.firstElementChild;
    if (!state || !top || this.#earlier.hidden) return;
    const shown = shownRows(state);
    const from = shown.findLastIndex(({ key }) => key === this.#first);
    this.#first = shown[Math.max(0, from - PAGE_ROWS)].key;
    const anchor = this.#rows.querySelector(".row:not(.day)") ?? top;
    const before = anchor.getBoundingClientRect().top;
    this.view = /** @type {View} */ (this.#view);
    this.#scroller.scrollTop += anchor.getBoundingClientRect().top - before;
    this.#top = this.#scroller.scrollTop;
  }

  /** @param {View} view */
  #showTyping({ state, words }) {
    const { transcript, terms } = state;
    const from = transcript.typing.find((sender) => sender !== "guest");
    setAttributes(this.#typing, { hidden: from === undefined, "data-from": from === "bot" ? "bot" : "agent" });
    if (from === undefined) return;
    const name = nameOf(words, from, from === "agent" ? transcript.agentName : from === "bot" ? terms.bot?.name : undefined);
    setText(this.#typingText, words.say("typing", { name }));
  }

  #noteScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    // Only going up leaves the end: what grows or is made narrower around a reader also ends up away from it.
    const isNear = scrollHeight - scrollTop - clientHeight <= SLACK_PX;
    const isAtEnd = isNear || (this.#isAtEnd && scrollTop >= this.#top);
    const isGoingUp = scrollTop < this.#top;
    this.#top = scrollTop;
    if (isGoingUp && scrollTop < clientHeight) this.#showEarlier();
    if (isAtEnd === this.#isAtEnd) return;
    this.#isAtEnd = isAtEnd;
    request(this, "chat-scrolled", { isAtEnd });
  }

  #followEnd() {
    if (this.#isAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

/**
 * @param {Words} words
 * @param {UiState["queue"]} queue
 * @returns {string} "" when nothing is known of it.
 */
export function queueWords(words, queue) {
  const { position, estimatedWait } = queue ?? {};
  const parts = [];
  if (position !== undefined) parts.push(position > 1 ? words.say("queue.place", { n: position }) : words.say("queue.next"));
  if (estimatedWait !== undefined) parts.push(estimatedWait < 60 ? words.say("queue.soon") : words.say("queue.wait", { n: Math.round(estimatedWait / 60) }));
  return parts.join(". ");
}

/**
 * The rows from one on, with dividers between days, and what each needs to know of its neighbours.
 *
 * @param {View} view
 * @param {Shown[]} rows
 * @param {number} from
 * @returns {Item[]}
 */
function itemsOf({ state, words, now, base, dialect }, rows, from) {
  const { terms, transcript, agentAvatar } = state;
  const mode = composerMode(state);
  const passed = answerableFrom(state);
  const answers = answersIn(rows.slice(from));
  /** @type {Item[]} */
  const items = [];
  let day;
  for (let index = from; index < rows.length; index += 1) {
    const { key, row } = rows[index];
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
    // A provider without ids of its own is answered by ours.
    const answer = answers.get(row.providerId ?? row.id ?? "");
    const isPassed = index < passed;
    const isOpen = mode === "on" && index >= state.startsAt && !answer;
    const bot = row.from === "bot" ? terms.bot : undefined;
    const isHere = row.from === "agent" && row.name === transcript.agentName;
    items.push({
      key,
      kind: "message",
      row,
      isFirst: items.at(-1)?.kind === "day" || previous?.kind !== "message" || !areOneGroup(previous, row),
      isLast: next?.kind !== "message" || !areOneGroup(row, next),
      isAnswerable: isOpen && (row.providerId !== undefined || !isPassed),
      isPassed,
      answer,
      name: row.name ?? bot?.name,
      avatar: row.avatar ?? bot?.avatar ?? (isHere ? agentAvatar : undefined),
      dialect,
      base,
      remedy: remedyOf(state, row),
      waitS: Math.max(0, Math.ceil(waitMs / 1000)),
    });
  }
  return items;
}
