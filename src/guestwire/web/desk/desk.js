/**
 * The agent desk: state, socket and views, put together. State goes down, intents come up, one drawing a microtask.
 *
 * @import { Change, Input, State } from "./core/types.js"
 * @import { Command } from "./core/keys.js"
 */

import { createCommands } from "./commands.js";
import { gist } from "./core/answers.js";
import { createSending } from "./sending.js";
import { createFormat } from "./core/format.js";
import { commandFor } from "./core/keys.js";
import { news } from "./core/news.js";
import { initialState, reduce } from "./core/reduce.js";
import { me, neighbour, selected, waiting } from "./core/selectors.js";
import { openEvents } from "./io/events.js";
import { keep, keepPairs, recall, recallPairs } from "./io/keep.js";
import { en as words } from "./locales/en.js";
import { createAnnouncer } from "./views/announcer.js";
import { createBar } from "./views/bar.js";
import { createLinkBanner, createProblemBanner, problemWords } from "./views/banner.js";
import { createConversation } from "./views/conversation.js";
import { isDialogOpen, showShortcuts } from "./views/dialogs.js";
import { h, setAttribute, show } from "./views/dom.js";
import { createList } from "./views/list.js";
import { guestName } from "./views/parts.js";
import { createSide } from "./views/side.js";
import { createSignIn } from "./views/sign-in.js";

/** Clocks on the page move at this pace. */
const TICK_MS = 1000;
/** An agent missing for this long has been removed elsewhere; shorter, it is only news out of order. */
const GONE_MS = 1500;

const pageLanguage = document.documentElement.lang || words.language;
const format = createFormat(navigator.languages.find((one) => one.startsWith(pageLanguage)) ?? pageLanguage);

/** @type {State} */
let state = reduce(initialState(), { type: "restored", drafts: recallPairs("drafts"), seen: recallPairs("seen") });
let isDrawingDue = false;
/** @type {(() => void) | undefined} Moves the focus after the next drawing. */
let focusNext;

const announcer = createAnnouncer();
/** @type {import("./commands.js").Desktop} */
const desktop = {
  state: () => state,
  dispatch,
  say: announcer.say,
  focusConversation: () => focusAfterDrawing(() => conversation.focus()),
  words,
};
const commands = createCommands(desktop);
const sending = createSending(desktop);

const signIn = createSignIn(words, { onSignIn: takeSeat });
const bar = createBar(words, {
  onToggleQueue: commands.toggleQueue,
  onFaults: () => openSide("faults"),
  onPicture: commands.changePicture,
  onHelp: () => showShortcuts(words),
  onLeave: commands.leave,
});
const linkBanner = createLinkBanner(words, { onRetryNow: () => events.retryNow() });
const problemBanner = createProblemBanner(words, { onDismiss: () => dispatch({ type: "dismissed" }) });
const list = createList(words, {
  onSelect: (id) => select(id),
  onAccept: commands.accept,
  onFilter: (filter) => dispatch({ type: "filtered", filter }),
  onGoOnQueue: commands.goOnQueue,
});
const conversation = createConversation(words, {
  onDraft: (conversationId, text) => dispatch({ type: "drafted", conversationId, text }),
  onSend: sending.send,
  onTyping: sending.tellTyping,
  onTemplate: sending.sendTemplate,
  onContent: sending.sendContent,
  onAttach: sending.attach,
  onRemoveUpload: sending.removeUpload,
  onVoice: sending.setVoice,
  onAccept: commands.accept,
  onAcceptNext: commands.acceptNext,
  onToList: toList,
  onTransfer: commands.transfer,
  onEnd: commands.end,
  onDetails: () => openSide("guest"),
  onRead: markRead,
});
const side = createSide(words, {
  onTab: (name) => dispatch({ type: "pane", pane: state.work.pane, side: name }),
  onClose: closeSide,
  onSelect: (id) => select(id),
  onCopy: copy,
  onSetFault: commands.setFault,
  onFireFault: commands.fireFault,
  onClearFaults: commands.clearFaults,
  onReset: commands.reset,
  onBefall: commands.befall,
  onPush: commands.push,
  onChangeDeployment: commands.changeDeployment,
});

const workspace = h("main", { class: "workspace" }, list.element, conversation.element, side.element);
const desk = h(
  "div",
  { class: "desk" },
  h("a", { class: "skip", href: "#conversation" }, words.skip),
  bar.element,
  linkBanner.element,
  problemBanner.element,
  workspace,
);
document.body.append(announcer.element, signIn.element, desk);

/** @param {Input} input */
function dispatch(input) {
  const before = state;
  state = reduce(state, input);
  if (state === before) return;
  tell(before, state);
  draw();
}

function draw() {
  if (isDrawingDue) return;
  isDrawingDue = true;
  queueMicrotask(() => {
    isDrawingDue = false;
    const model = { state, now: Date.now(), words, format };
    const isSeated = state.work.myName !== undefined;
    const count = waiting(state.desk).length;
    const title = count > 0 ? words.titleWaiting(count) : words.title;
    if (document.title !== title) document.title = title;
    show(signIn.element, !isSeated);
    show(desk, isSeated);
    setAttribute(workspace, "data-pane", state.work.pane);
    const focused = document.activeElement;
    if (isSeated) for (const view of [bar, linkBanner, problemBanner, list, conversation, side]) view.update(model);
    else signIn.update(model);
    events.takeSeat(me(state)?.id);
    const focus = focusNext;
    focusNext = undefined;
    if (focus) focus();
    else if (isSeated) rescueFocus(focused);
    markRead();
  });
}

/**
 * What had the focus may have gone with this drawing (a banner's button, a callout's): the focus goes where the work is.
 *
 * @param {Element | null} before What had it before the drawing.
 */
function rescueFocus(before) {
  const focused = document.activeElement;
  const isLost = focused && focused !== document.body ? !focused.checkVisibility() : before?.isConnected === false;
  if (!isLost) return;
  if (list.element.contains(focused) || !conversation.element.checkVisibility()) list.focusRow();
  else conversation.focus();
}

/** @param {() => void} focus */
function focusAfterDrawing(focus) {
  focusNext = focus;
  draw();
}

/** @param {State} before @param {State} after To the announcer, and to what the tab remembers. */
function tell(before, after) {
  for (const one of news(before, after)) {
    const name = guestName(one.conversation.guest, words);
    if (one.kind === "waiting") announcer.say(words.news.waiting(name, waiting(after.desk).length));
    else if (one.kind === "ended") announcer.say(words.news.ended(name));
    else if (one.kind === "system") announcer.say(one.entry.text);
    else if (one.isOpen) announcer.say(words.news.message(one.entry.from === "bot" ? words.from.bot : name, gist(one.entry)));
    else announcer.say(words.news.messageElsewhere(name, gist(one.entry)));
  }
  const { work } = after;
  const was = before.work;
  if (work.link.status === "lost" && was.link.status !== "lost") announcer.say(words.link.lost);
  if (work.link.status === "open" && was.link.status === "lost") announcer.say(words.link.back);
  if (work.problem && work.problem !== was.problem) announcer.say(problemWords(work.problem, words));
  if (was.myName !== undefined && work.myName === undefined) {
    keep("name", undefined);
    focusNext = () => signIn.focus();
  }
  if (work.drafts !== was.drafts) keepPairs("drafts", work.drafts);
  if (work.seen !== was.seen) keepPairs("seen", work.seen);
}

/** @param {string} name */
async function takeSeat(name) {
  if (!(await commands.signIn(name))) return;
  keep("name", name);
  focusAfterDrawing(() => list.focusRow());
}

/** A snapshot has come: who sat here before a reload or a reset takes the seat again. */
async function returnToSeat() {
  const name = state.work.myName ?? recall("name");
  if (state.work.meId !== undefined || name === undefined) return;
  const wasSeated = state.work.myName !== undefined;
  if ((await commands.signIn(name)) && !wasSeated) focusAfterDrawing(() => list.focusRow());
}

/** @param {Change} change */
function followSeat(change) {
  if (change.type !== "agents" || state.work.meId === undefined) return;
  const { meId } = state.work;
  const isGone = () => state.work.meId === meId && !state.desk.agents.some((one) => one.id === meId);
  if (!isGone()) return;
  setTimeout(() => {
    if (isGone()) dispatch({ type: "signed-out" });
  }, GONE_MS);
}

/** @param {string} conversationId @param {() => void} [focus] */
function select(conversationId, focus = () => conversation.focus()) {
  dispatch({ type: "selected", conversationId });
  focusAfterDrawing(focus);
}

function toList() {
  dispatch({ type: "pane", pane: "list" });
  focusAfterDrawing(() => list.focusRow());
}

/** @param {import("./core/types.js").SideName} name */
function openSide(name) {
  dispatch({ type: "pane", pane: "side", side: name });
  focusAfterDrawing(() => side.focusTab(name));
}

function closeSide() {
  const isOpen = selected(state) !== undefined;
  dispatch({ type: "pane", pane: isOpen ? "conversation" : "list" });
  focusAfterDrawing(() => (isOpen ? conversation.focus() : list.focusRow()));
}

/** What stands at the end of the open transcript, in a page that is looked at, has been read. */
function markRead() {
  const { selected: id, pane } = state.work;
  const isInView = pane !== "list" || matchMedia("(min-width: 48rem)").matches;
  if (id !== undefined && isInView && document.visibilityState === "visible" && conversation.isAtEnd()) {
    dispatch({ type: "read", conversationId: id });
  }
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return false;
  }
  announcer.say(words.side.copied);
  return true;
}

/** @param {1 | -1} by */
function step(by) {
  const id = neighbour(state, by);
  if (id === undefined) return;
  const isInList = list.element.contains(document.activeElement);
  select(id, isInList ? () => list.focusRow() : undefined);
}

/** @type {Record<Command, () => void>} */
const shortcuts = {
  help: () => showShortcuts(words),
  "accept-next": commands.acceptNext,
  previous: () => step(-1),
  next: () => step(1),
  queue: commands.toggleQueue,
  list: toList,
  write: () => conversation.focus(),
  templates: conversation.toggleTemplates,
  transfer: commands.transfer,
  deployment: () => openSide("deployment"),
  end: commands.end,
  faults: () => openSide("faults"),
  find: () => {
    dispatch({ type: "pane", pane: "list" });
    focusAfterDrawing(list.focusFilter);
  },
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || state.work.myName === undefined || isDialogOpen()) return;
  const target = event.target;
  const isWriting = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
  const command = commandFor(event, isWriting);
  if (!command) return;
  event.preventDefault();
  shortcuts[command]();
});
document.addEventListener("visibilitychange", draw);
setInterval(() => {
  if (document.visibilityState === "visible") draw();
}, TICK_MS);

const events = openEvents({
  onChange(change) {
    dispatch({ type: "change", change, now: Date.now() });
    if (change.type === "snapshot") void returnToSeat();
    else followSeat(change);
  },
  onLink(status, retryAt) {
    dispatch({ type: "link", status, retryAt });
    if (status === "open") void commands.loadTemplates();
  },
});

draw();
if (recall("name") === undefined) focusAfterDrawing(() => signIn.focus());
