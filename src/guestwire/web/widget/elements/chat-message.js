/**
 * One row of the transcript: a message, a notice, or a divider between days. A row is drawn once and then only its
 * changes are written, so that a selection inside it survives what happens around it.
 */

/** @import { MessageRow, NoticeRow } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

import { parseRichText } from "../core/richtext.js";
import { drawAvatar } from "./avatar.js";
import { el, request, setAttributes, setText } from "./dom.js";
import { rich } from "./rich.js";
import { drawRichText } from "./rich-text.js";
import { nameOf } from "./view.js";

/**
 * What is to be drawn. `key` stays with a row for life.
 *
 * @typedef {{ key: string, kind: "day", at: number, text: string }} DayItem
 * @typedef {{ key: string, kind: "notice", row: NoticeRow }} NoticeItem
 * @typedef {object} MessageItem
 * @property {string} key
 * @property {"message"} kind
 * @property {MessageRow} row
 * @property {boolean} isFirst Of its group.
 * @property {boolean} isLast Of its group.
 * @property {boolean} isAnswerable Whether its choices can still be taken.
 * @property {boolean} isPassed Whether the guest has said something after it.
 * @property {MessageRow | undefined} answer What the guest has answered.
 * @property {string | undefined} avatar
 * @property {string | undefined} name
 * @property {import("../core/richtext.js").Dialect} dialect
 * @property {string} base The gateway's address.
 * @property {"failed" | "unconfirmed" | undefined} remedy What can be done about it.
 * @property {number} waitS Whole seconds until it is tried again; 0 when nobody has said.
 * @typedef {DayItem | NoticeItem | MessageItem} Item
 */

/** Fates that a group of several messages shows on each of them, since each may have its own. */
const LOUD_STATES = new Set(["queued", "failed", "unconfirmed", "waiting"]);

/** What a guest can do about a message that did not arrive, or may not have. */
const REMEDIES = { failed: ["retry", "edit"], unconfirmed: ["send-again"] };

export class RowView {
  element = el("li", { class: "row" });
  /** @type {Item | undefined} */
  #item;
  /** @type {Words | undefined} */
  #words;
  /** @type {HTMLElement | undefined} */
  #sender;
  #body = el("div", { class: "body" });
  /** @type {HTMLElement | undefined} */
  #meta;
  /** @type {HTMLElement | undefined} */
  #chips;
  #isRich = false;

  /**
   * @param {Item} item
   * @param {Words} words
   */
  show(item, words) {
    const before = this.#item;
    if (before && this.#words === words && isSame(before, item) && !this.#isRicher(item)) return;
    const isNew = !before || this.#words !== words;
    this.#item = item;
    this.#words = words;
    if (item.kind === "message") this.#showMessage(item, words, isNew, before?.kind === "message" ? before : undefined);
    else if (item.kind === "notice") this.#showNotice(item.row, words);
    else this.#showDay(item);
  }

  /**
   * Whether its content can be drawn now, and could not before.
   *
   * @param {Item} item
   */
  #isRicher(item) {
    return item.kind === "message" && item.row.content !== undefined && !this.#isRich && rich.isLoaded;
  }

  /** @param {DayItem} item */
  #showDay({ at, text }) {
    setAttributes(this.element, { class: "row day", part: "day" });
    const day = new Date(at);
    const datetime = [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
    this.element.replaceChildren(el("time", { datetime }, text));
  }

  /**
   * @param {NoticeRow} row
   * @param {Words} words
   */
  #showNotice({ notice, name }, words) {
    setAttributes(this.element, { class: "row notice", part: "notice", "data-notice": notice });
    const text = words.say(`notice.${notice}`, { name: name ?? words.say("someone") });
    this.element.replaceChildren(el("span", { class: "notice-text" }, text));
  }

  /**
   * @param {MessageItem} item
   * @param {Words} words
   * @param {boolean} isNew
   * @param {MessageItem} [before]
   */
  #showMessage(item, words, isNew, before) {
    const { row, isFirst, isLast } = item;
    const side = row.from === "guest" ? "guest" : row.from === "bot" ? "bot" : "agent";
    setAttributes(this.element, {
      class: "row message",
      part: `message message-${side}`,
      "data-from": side,
      "data-first": isFirst,
      "data-last": isLast,
      "data-state": row.state,
    });
    // A reset brings the same again in other objects: what is half filled in stays.
    const isSaidAnew =
      isNew ||
      before?.row.text !== row.text ||
      before.dialect.markdown !== item.dialect.markdown ||
      before.dialect.escapes !== item.dialect.escapes ||
      (row.content !== before.row.content && JSON.stringify(row.content) !== JSON.stringify(before.row.content)) ||
      (row.content !== undefined && (before.answer?.content !== item.answer?.content || !before.answer !== !item.answer || before.row.providerId !== row.providerId || before.row.id !== row.id)) ||
      this.#isRicher(item);
    if (isSaidAnew) this.#drawBody(item, side, words);
    this.#showAnswerable(item);
    this.#showSender(item, side, words);
    this.#showMeta(item, words);
    const parts = [this.#sender, this.#body, this.#meta, this.#chips].filter((part) => part !== undefined);
    if (parts.some((part, index) => this.element.children[index] !== part) || this.element.children.length > parts.length) {
      this.element.replaceChildren(...parts);
    }
  }

  /**
   * @param {MessageItem} item
   * @param {string} side
   * @param {Words} words
   */
  #drawBody({ row, answer, dialect, base }, side, words) {
    const place = { words, base, to: row.providerId ?? row.id, answer };
    const { parts, chips } = row.content ? rich.draw(row, place) : { parts: [], chips: undefined };
    this.#isRich = rich.isLoaded;
    // What can't be drawn shows its text.
    const said = row.text || (parts.length || chips || (row.content && !this.#isRich) ? "" : words.say("content.unknown"));
    const nodes = parseRichText(said, { ...dialect, isOutbound: side !== "guest" });
    const text = el("div", { class: "text", dir: "auto" }, ...drawRichText(nodes));
    const bubble = el("div", { class: "bubble", part: `bubble bubble-${side}` }, text);
    this.#body.replaceChildren(...(said ? [bubble] : []), ...parts);
    this.#chips = chips;
  }

  /** @param {MessageItem} item */
  #showAnswerable({ isAnswerable, isPassed, answer }) {
    for (const fields of this.#body.querySelectorAll("fieldset.answer")) setAttributes(fields, { disabled: !isAnswerable });
    if (!this.#chips) return;
    // Suggestions belong to what was said last: nobody took them, so they go, unless they are all there is.
    const isOver = !isAnswerable || isPassed;
    setAttributes(this.#chips, { disabled: isOver, hidden: isOver && !answer && this.#body.hasChildNodes() });
  }

  /**
   * @param {MessageItem} item
   * @param {string} side
   * @param {Words} words
   */
  #showSender({ row, isFirst, name: given, avatar: url }, side, words) {
    if (!isFirst) {
      this.#sender = undefined;
      return;
    }
    const name = nameOf(words, row.from, given);
    this.#sender ??= el("p", { class: side === "guest" ? "hidden-text" : "sender" });
    const looks = `${name} ${url ?? ""}`;
    if (this.#sender.dataset.looks === looks) return;
    this.#sender.dataset.looks = looks;
    const avatar = el("span", { class: "avatar", part: "avatar", "aria-hidden": "true" }, ...drawAvatar({ name, url, isBot: side === "bot" }));
    this.#sender.replaceChildren(
      ...(side === "guest" ? [] : [avatar]),
      el("span", { class: "sender-name", dir: "auto" }, name),
      ...(side === "bot" && name !== words.say("kind.bot") ? [el("span", { class: "badge" }, words.say("kind.bot"))] : []),
    );
  }

  /**
   * @param {MessageItem} item
   * @param {Words} words
   */
  #showMeta({ row, isLast, remedy, waitS }, words) {
    const { sentAt, state, code, late } = row;
    const isLoud = state !== undefined && LOUD_STATES.has(state);
    if (!isLoud && !late && (!isLast || (sentAt === undefined && !state))) {
      this.#meta = undefined;
      return;
    }
    this.#meta ??= el(
      "p",
      { class: "meta", part: "meta" },
      el("time"),
      el("span", { class: "state" }, el("bdi")),
      el("span", { class: "actions" }),
    );
    const [time, word, actions] = this.#meta.children;
    setText(time, sentAt === undefined ? "" : words.time(sentAt));
    setAttributes(time, {
      datetime: sentAt === undefined ? undefined : new Date(sentAt).toISOString(),
      title: sentAt === undefined ? undefined : words.fullTime(sentAt),
    });
    const reason = state === "failed" && code && words.has(`error.${code}`) ? `. ${words.say(`error.${code}`)}` : "";
    const wait = waitS ? `. ${words.say("wait.message", { n: waitS })}` : "";
    const said = state ? words.say(`state.${state}`) + reason + wait : late ? words.say("state.late") : "";
    setText(/** @type {Element} */ (word.firstElementChild), said);
    setAttributes(word, { hidden: !said });
    // Files can't be taken back into the composer.
    const ways = remedy ? REMEDIES[remedy].filter((name) => name !== "edit" || !row.content) : [];
    const names = ways.map((name) => [name, words.say(name)]);
    // Only when they change: the focus may be on one.
    if (actions.textContent === names.map(([, label]) => label).join("")) return;
    actions.replaceChildren(...names.map(([name, label]) => remedyButton(name, label, row)));
  }
}

/**
 * @param {string} name
 * @param {string} label
 * @param {MessageRow} row
 */
function remedyButton(name, label, row) {
  const button = el("button", { type: "button", class: "remedy", part: `remedy remedy-${name}`, dir: "auto" }, label);
  button.addEventListener("click", () => request(button, name === "edit" ? "chat-edit" : "chat-resend", row));
  return button;
}

/**
 * @param {Item} item
 * @param {Item} other
 */
function isSame(item, other) {
  if (item.kind === "day" && other.kind === "day") return item.text === other.text && item.at === other.at;
  if (item.kind === "notice" && other.kind === "notice") return item.row === other.row;
  if (item.kind !== "message" || other.kind !== "message") return false;
  return (
    item.row === other.row &&
    item.isFirst === other.isFirst &&
    item.isLast === other.isLast &&
    item.isAnswerable === other.isAnswerable &&
    item.isPassed === other.isPassed &&
    item.answer === other.answer &&
    item.avatar === other.avatar &&
    item.name === other.name &&
    item.dialect === other.dialect &&
    item.remedy === other.remedy &&
    item.waitS === other.waitS
  );
}
