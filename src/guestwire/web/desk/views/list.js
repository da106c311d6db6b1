/**
 * The list of conversations: sections, one tab stop that the arrows move, rows that keep their nodes.
 *
 * @import { Conversation } from "../core/types.js"
 * * @import { SectionName } from "../core/selectors.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { gist } from "../core/answers.js";
import { hasMarkdown, isOnline, lastLine, me, queuedAt, sections, unread } from "../core/selectors.js";
import { plainText } from "../core/text.js";
import { enable, h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, button, guestName, updateAvatar } from "./parts.js";

/** Ended conversations shown before somebody asks for more. */
const ENDED_SHOWN = 25;

/** @typedef {{ item: HTMLElement, update: (model: Model, conversation: Conversation, isCurrent: boolean) => void }} RowView */

/**
 * @param {Words} words
 * @param {{ onSelect: (id: string) => void, onAccept: (id: string) => void, onFilter: (text: string) => void,
 *   onGoOnQueue: () => void }} intents
 */
export function createList(words, { onSelect, onAccept, onFilter, onGoOnQueue }) {
  /** @type {WeakMap<Element, RowView>} */
  const rows = new WeakMap();
  /** @type {string | undefined} The row that Tab reaches. */
  let currentId;
  let isAllShown = false;

  const field = h("input", { id: "find", type: "search", class: "input", placeholder: words.list.findHint, autocomplete: "off", "aria-keyshortcuts": "/" });
  const goOnQueue = button(words.list.goOnQueue, "normal");
  const offQueue = h("div", { class: "callout" }, h("p", {}, words.list.offQueue), goOnQueue);
  const body = h("div", { class: "list-sections" });
  const empty = h("div", { class: "empty" }, icon("wire", "empty-mark"), h("p", { class: "empty-title" }, words.list.empty), h("p", { class: "quiet" }, words.list.emptyHint));
  const nothingFound = h("p", { class: "quiet list-nothing" });
  const showAll = button("", "quiet");
  const element = h(
    "nav",
    { class: "pane list-pane", "aria-label": words.list.label, tabindex: -1 },
    h("div", { class: "find" }, icon("find"), h("label", { for: field.id, class: "visually-hidden" }, words.list.find), field),
    offQueue,
    nothingFound,
    empty,
    body,
    showAll,
  );

  field.addEventListener("input", () => onFilter(field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      move(0);
    } else if (event.key === "Escape" && field.value) {
      event.preventDefault();
      field.value = "";
      onFilter("");
    }
  });
  onPress(goOnQueue, onGoOnQueue);
  onPress(showAll, () => {
    isAllShown = true;
    onFilter(field.value);
    move(0);
  });
  body.addEventListener("keydown", (event) => {
    const here = buttons().findIndex((one) => one.contains(document.activeElement) || one.parentElement?.contains(document.activeElement));
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined || event.altKey || here < 0) return;
    event.preventDefault();
    move(to);
  });
  body.addEventListener("focusin", (event) => {
    const id = event.target instanceof Element ? event.target.closest("[data-id]")?.getAttribute("data-id") : undefined;
    if (id) setCurrent(id);
  });

  /** @returns {HTMLElement[]} The row buttons that can be seen, top to bottom. */
  const buttons = () => [...body.querySelectorAll("button.row")].filter((one) => one instanceof HTMLElement);

  /** @param {number} to */
  function move(to) {
    const all = buttons();
    all[Math.max(0, Math.min(to, all.length - 1))]?.focus();
  }

  /** @param {string | undefined} id */
  function setCurrent(id) {
    currentId = id;
    for (const item of body.querySelectorAll("[data-id]")) setTabStop(item, item.getAttribute("data-id") === id);
  }

  /** @param {Element} item @param {boolean} isCurrent */
  function setTabStop(item, isCurrent) {
    for (const one of item.querySelectorAll("button")) setAttribute(one, "tabindex", isCurrent ? 0 : -1);
  }

  /** @param {Conversation} conversation */
  function createRow(conversation) {
    const row = createRowView(words, conversation.id, onSelect, onAccept);
    rows.set(row.item, row);
    return row.item;
  }

  return {
    element,
    focusFilter: () => {
      field.focus();
      field.select();
    },
    /** Focus the open conversation's row, or the first. */
    focusRow: () => {
      const row = body.querySelector(`button.row[tabindex="0"]`);
      if (row instanceof HTMLElement) row.focus();
      else element.focus();
    },
    /** @param {Model} model */
    update(model) {
      const { state } = model;
      const all = sections(state);
      const ids = new Set(all.flatMap((section) => section.conversations.map((one) => one.id)));
      const total = state.desk.conversations.size;
      const ended = all.find((section) => section.name === "ended");
      const hiddenEnded = isAllShown || !ended ? 0 : Math.max(0, ended.conversations.length - ENDED_SHOWN);
      if (ended && hiddenEnded > 0) ended.conversations = ended.conversations.slice(0, ENDED_SHOWN);

      const focused = body.contains(document.activeElement) ? document.activeElement : undefined;
      const focusedId = focused?.closest("[data-id]")?.getAttribute("data-id");
      const { selected } = state.work;
      if (currentId === undefined || !ids.has(currentId) || (!focused && selected !== undefined)) {
        currentId = selected !== undefined && ids.has(selected) ? selected : ids.values().next().value;
      }
      show(offQueue, me(state)?.onQueue === false && state.desk.synced);
      enable(goOnQueue, isOnline(state));
      show(empty, state.desk.synced && total === 0);
      setText(nothingFound, total > 0 && ids.size === 0 ? words.list.nothingFound : "");
      show(nothingFound, total > 0 && ids.size === 0);
      show(showAll, hiddenEnded > 0);
      setText(/** @type {Node} */ (showAll.lastChild), words.list.showAll(hiddenEnded));

      syncChildren(
        body,
        all.filter((section) => section.conversations.length > 0),
        (section) => section.name,
        (section) => createSection(words, section.name),
        (node, section) => {
          setText(/** @type {Node} */ (node.querySelector(".count")), model.format.number(section.conversations.length + (section.name === "ended" ? hiddenEnded : 0)));
          const ul = /** @type {Element} */ (node.lastElementChild);
          syncChildren(ul, section.conversations, (one) => one.id, createRow, (item, one) => {
            rows.get(item)?.update(model, one, one.id === currentId);
            setTabStop(item, one.id === currentId);
          });
        },
      );
      // A row that went to another section is another node: the focus follows the guest.
      if (focusedId && focused && !focused.isConnected && document.activeElement === document.body) {
        const row = body.querySelector(`[data-id="${CSS.escape(focusedId)}"] button.row`);
        if (row instanceof HTMLElement) row.focus();
        else element.focus();
      }
    },
  };
}

/** @param {Words} words @param {SectionName} name */
function createSection(words, name) {
  const heading = h("h2", { id: `section-${name}`, class: "section-title" }, words.list.sections[name], h("span", { class: "count" }));
  return h("section", { class: "section", "data-section": name, "aria-labelledby": heading.id }, heading, h("ul", { class: "rows" }));
}

/**
 * @param {Words} words
 * @param {string} id
 * @param {(id: string) => void} onSelect
 * @param {(id: string) => void} onAccept
 * @returns {RowView}
 */
function createRowView(words, id, onSelect, onAccept) {
  const face = avatar();
  const name = h("span", { class: "row-words", dir: "auto" });
  const when = h("span", { class: "row-when" });
  const about = h("bdi");
  const aboutLine = h("span", { class: "row-about" }, about);
  const line = h("span", { class: "row-words", dir: "auto" });
  const presence = h("span", { class: "visually-hidden" });
  const badge = h("span", { class: "badge" });
  const row = h(
    "button",
    { type: "button", class: "row" },
    face,
    h("span", { class: "row-top" }, h("span", { class: "row-name" }, name), when),
    aboutLine,
    h("span", { class: "row-line" }, line),
    presence,
    badge,
  );
  const accept = button(words.list.accept, "loud");
  accept.classList.add("row-accept");
  const item = h("li", { class: "row-item", "data-id": id }, row, accept);
  onPress(row, () => onSelect(id));
  onPress(accept, () => onAccept(id));

  return {
    item,
    update({ state, now, format }, conversation) {
      const { guest, stage } = conversation;
      const shownName = guestName(guest, words);
      const isWaiting = stage === "queue";
      updateAvatar(face, conversation, words);
      setText(name, shownName);
      const last = lastLine(conversation);
      setText(when, isWaiting ? format.span(now - queuedAt(conversation)) : format.time(last?.at ?? conversation.startedAt));
      setAttribute(when, "data-long", isWaiting && now - queuedAt(conversation) > 60_000);
      const aboutText = [guest.name ? guest.email : undefined, guest.externalContactId].filter(Boolean).join(" · ");
      setText(about, aboutText);
      show(aboutLine, aboutText !== "");
      const isMine = last?.from === "agent" && last.name === state.work.myName;
      const sender = !last || last.from === "guest" || last.from === "system" ? "" : `${isMine ? words.from.you : (last.name ?? words.from[last.from])}: `;
      setText(line, last ? sender + plainText(gist(last), { markdown: hasMarkdown(state.desk, conversation), isOutbound: last.from !== "guest" }) : "");
      setText(presence, stage === "ended" ? "" : conversation.connections > 0 ? words.guest.online : words.guest.offline);
      const count = unread(conversation, state.work);
      show(badge, count > 0);
      setText(badge, count > 0 ? format.number(count) : "");
      setAttribute(badge, "title", count > 0 ? words.list.unread(count) : undefined);
      const isOpen = state.work.selected === id;
      setAttribute(row, "aria-current", isOpen ? "true" : undefined);
      setAttribute(item, "data-open", isOpen);
      setAttribute(item, "data-unread", count > 0);
      setAttribute(item, "data-ended", stage === "ended");
      show(accept, isWaiting && (me(state)?.onQueue ?? false));
      enable(accept, isOnline(state));
      setAttribute(accept, "aria-label", words.list.acceptGuest(shownName));
    },
  };
}
