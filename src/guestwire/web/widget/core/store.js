/**
 * The whole state of the UI, as one pure reducer: `reduce(state, event, now) → state`, and the questions that views ask
 * of it. Times are epoch milliseconds and always passed in.
 *
 * Views compare parts by identity: a part that did not change is the same object.
 */

/** @import { ChatEvent, ConnectionStatus, ContentItem, Message, MessageRow, Row, StatusError, Transcript } from "./types.js" */

import { applyEvent, EMPTY_TRANSCRIPT } from "./transcript.js";

/** Fates of a message that can't end any other way, and are not good. */
const LOST = new Set(["failed", "unconfirmed"]);

/**
 * What only the page knows, in the same reducer.
 *
 * @typedef {{ type: "session", extensions: string[] }} SessionKnown The provider's extensions of the new session.
 * @typedef {{ type: "scrolled", isAtEnd: boolean }} Scrolled
 * @typedef {{ type: "network", isOnline: boolean }} NetworkChanged
 * @typedef {{ type: "dismissed" }} Dismissed The guest has read the problem.
 * @typedef {{ type: "problem", code: string }} ProblemFound Something the guest wanted was refused here, before the wire.
 * @typedef {{ type: "ending" }} Ending The guest has confirmed the end.
 * @typedef {{ type: "announced" }} Announced All announcements have been said.
 * @typedef {{ type: "restarted" }} Restarted A new conversation begins below the old one.
 * @typedef {{ type: "replaced", clientIds: string[] }} Replaced The guest has taken these messages back, or sent them anew.
 * @typedef {{ type: "time-passed" }} TimePassed The clock's word that `nextDeadline()` is over.
 * @typedef {ChatEvent | SessionKnown | Scrolled | NetworkChanged | Dismissed | ProblemFound | Ending | Announced
 *   | Restarted | Replaced | TimePassed} UiEvent
 */

/**
 * Something to be said to screen readers, once.
 *
 * @typedef {object} Announcement
 * @property {"said" | "late" | "joined" | "left" | "ended" | "new" | "connected" | "failed" | "unconfirmed" | "error" | "no-agent"
 *   | "stuck"} what
 * @property {string} [name]
 * @property {string} [from]
 * @property {string} [text]
 * @property {ContentItem[]} [content]
 * @property {string} [code]
 */

/**
 * @typedef {object} UiState
 * @property {ConnectionStatus} status
 * @property {boolean} hasStarted Whether it was begun: a `disconnected` after that has given up.
 * @property {boolean} hasConnected Whether the socket was ever open for this conversation.
 * @property {boolean} isOnline
 * @property {StatusError} [error] Why the connection failed or is being tried again.
 * @property {number} [retryAt]
 * @property {number} [troubleSince] Since when the connection, or the network below it, has been lost.
 * @property {string} [saidTrouble] Code of the trouble that was announced last, while it lasts.
 * @property {boolean} owesConnected Whether the next time that all is well is to be announced.
 * @property {boolean} isEnding Whether the guest has ended the chat and the provider has not yet confirmed it.
 * @property {{ code: string, text?: string, until?: number }} [problem] What was refused while the connection stayed.
 * @property {string[]} extensions
 * @property {Transcript} transcript
 * @property {number} earlier How many rows belong to sessions before this one.
 * @property {number} startsAt The row at which this conversation begins.
 * @property {Transcript} pending In relay mode the guest's own messages that the log has not shown us yet; below the others.
 * @property {string[]} replaced Client ids of messages that are not shown any more.
 * @property {Record<string, number>} waitingUntil By client id.
 * @property {Record<number, string>} orderKeys By `seq`: places in the provider's order.
 * @property {{ clientId: string, since: number }} [undelivered] The first message that the gateway keeps and has not passed on.
 * @property {boolean} isStuck Whether that takes so long that the guest should know.
 * @property {Record<string, number>} typingUntil By sender.
 * @property {number} [waitingSince] Last sign of life while no agent has the conversation.
 * @property {boolean} isUnattended Whether nobody has answered for so long that the guest should know.
 * @property {boolean} isAtEnd Whether the reader is at the end of the transcript.
 * @property {number} unread Messages that came while the reader was further up.
 * @property {Announcement[]} announcements What is still to be said.
 */

/** An indicator without a duration hides after this (guest-session §4.3 rule 6). */
export const TYPING_MS = 5_000;

/** So long without an agent, and the guest is told (guest-session §6.4). */
export const UNATTENDED_AFTER_MS = 30_000;

/** A shorter outage is shown in the header only: most are over before a banner could be read. */
export const CALM_MS = 1_000;

/** A message that is kept for so long and not passed on needs a word. */
export const STUCK_AFTER_MS = 5_000;

/** Reasons that mean at once what `UNATTENDED_AFTER_MS` of silence means. */
const UNATTENDED_REASONS = new Set(["no-agents", "flow-unpublished"]);

/** The longest wait that is believed. */
const LONGEST_WAIT_S = 3600;

/** The gateway asked us to come back: nothing is wrong. */
const MOVED = "moved";

/** What only the owner of the site can mend: trying again would only fail again. */
const HOPELESS = new Set(["bad-request", "not-found"]);

/** What the same trouble is called: what has worked before is not forbidden. @type {Record<string, string>} */
const ONCE_CONNECTED = { "blocked-or-unreachable": "unreachable" };
/** @type {Record<string, string>} */
const NEVER_CONNECTED = { "connection-lost": "not-connected" };

/** Above every key: they are digits first. */
const LAST_PLACE = "\uffff";

/** @type {Row} */
const NEW = Object.freeze({ kind: "notice", notice: "new" });

/** @type {UiState} */
export const INITIAL_STATE = Object.freeze({
  status: "disconnected",
  hasStarted: false,
  hasConnected: false,
  isOnline: true,
  owesConnected: true,
  isEnding: false,
  extensions: [],
  transcript: EMPTY_TRANSCRIPT,
  earlier: 0,
  startsAt: 0,
  pending: EMPTY_TRANSCRIPT,
  replaced: [],
  waitingUntil: {},
  orderKeys: {},
  typingUntil: {},
  isUnattended: false,
  isStuck: false,
  isAtEnd: true,
  unread: 0,
  announcements: [],
});

/**
 * Apply one event.
 *
 * @param {UiState} state
 * @param {UiEvent} event
 * @param {number} now
 * @returns {UiState} The same object when nothing changed.
 */
export function reduce(state, event, now) {
  const next = apply(state, event, now);
  return next === state ? state : sayTrouble(next, now);
}

/**
 * @param {UiState} state
 * @param {UiEvent} event
 * @param {number} now
 * @returns {UiState}
 */
function apply(state, event, now) {
  switch (event.type) {
    case "status":
      return applyStatus(state, event, now);
    case "session":
      return { ...state, extensions: event.extensions };
    case "scrolled":
      return event.isAtEnd === state.isAtEnd
        ? state
        : { ...state, isAtEnd: event.isAtEnd, unread: event.isAtEnd ? 0 : state.unread };
    case "network":
      return applyNetwork(state, event.isOnline, now);
    case "dismissed":
      return state.problem ? { ...state, problem: undefined } : state;
    case "problem":
      return announce({ ...state, problem: { code: event.code } }, { what: "error", code: event.code });
    case "error": {
      const { code, text, retryAfter } = event;
      const until = timeAfter(now, retryAfter);
      return announce({ ...state, problem: { code, text, until } }, { what: "error", code, text });
    }
    case "ending":
      return hasEnded(state) || state.status === "disconnected" || state.status === "failed"
        ? state
        : { ...state, isEnding: true };
    case "announced":
      return state.announcements.length ? { ...state, announcements: [] } : state;
    case "restarted":
      return restart(state);
    case "replaced":
      return { ...state, replaced: [...new Set([...state.replaced, ...event.clientIds])] };
    case "reset":
      return reset(state, event, now);
    case "time-passed":
      return passTime(state, now);
    default:
      return applyToTranscript(state, event, now);
  }
}

/**
 * @param {UiState} state
 * @param {Extract<ChatEvent, { type: "status" }>} event
 * @param {number} now
 * @returns {UiState}
 */
function applyStatus(state, event, now) {
  const { status, error, retryIn } = event;
  const isTrouble = status === "reconnecting" || status === "failed";
  // A planned move is trouble only when it takes longer than was asked for.
  const since = error?.code === MOVED ? timeAfter(now, retryIn) : now;
  // Quiet again: it is well, given up on purpose, or begun anew by the guest.
  const isSettled = status === "connected" || status === "disconnected" || (state.status === "failed" && !isTrouble);
  return {
    ...state,
    status,
    hasStarted: state.hasStarted || status !== "disconnected",
    isEnding: state.isEnding && status !== "disconnected" && status !== "failed",
    // An error stays in view while the attempts that follow it are under way.
    error: error ?? (isSettled ? undefined : state.error),
    retryAt: timeAfter(now, retryIn),
    hasConnected: state.hasConnected || status === "connected",
    troubleSince: isSettled ? undefined : (state.troubleSince ?? (isTrouble ? since : undefined)),
  };
}

/**
 * A socket that was open when the network went may count as open for minutes; nothing gets through it.
 *
 * @param {UiState} state
 * @param {boolean} isOnline
 * @param {number} now
 * @returns {UiState}
 */
function applyNetwork(state, isOnline, now) {
  if (isOnline === state.isOnline) return state;
  const next = { ...state, isOnline };
  if (state.status === "connected") next.troubleSince = isOnline ? undefined : now;
  return next;
}

/**
 * Announce what stands in the guest's way, once for each thing, and that it no longer does.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {UiState}
 */
function sayTrouble(state, now) {
  const trouble = troubleOf(state, now);
  let next = state;
  if (trouble?.code !== state.saidTrouble) next = { ...next, saidTrouble: trouble?.code };
  if (trouble && trouble.code !== state.saidTrouble) {
    next = announce({ ...next, owesConnected: true }, { what: "error", code: trouble.code, text: trouble.text });
  }
  const isWell = state.status === "connected" && state.troubleSince === undefined && !hasEnded(state);
  return isWell && state.owesConnected ? announce({ ...next, owesConnected: false }, { what: "connected" }) : next;
}

/**
 * @param {UiState} state
 * @param {ChatEvent} event
 * @param {number} now
 * @returns {UiState}
 */
function applyToTranscript(state, event, now) {
  const before = state.transcript;
  const isPending = event.type === "message" && event.seq === undefined && isOwnInRelay(state, event);
  const transcript = isPending ? before : beginAnew(before, applyEvent(before, event));
  /** @type {UiState} */
  let next = { ...state, transcript, pending: pendingAfter(state, event, isPending) };
  if (before.status === "ended" && transcript.status !== "ended") next.startsAt = before.rows.length + 1;
  if (event.type === "receipt" && event.retryAfter !== undefined) {
    next.waitingUntil = { ...state.waitingUntil, [event.clientId]: timeAfter(now, event.retryAfter) ?? now };
  }
  const seq = event.type === "message" ? event.seq : event.type === "receipt" ? event.messageSeq : undefined;
  if (seq !== undefined && "orderKey" in event && event.orderKey !== undefined) {
    next.orderKeys = { ...state.orderKeys, [seq]: event.orderKey };
  }
  if (event.type === "typing") {
    next.typingUntil = { ...state.typingUntil, [event.from]: now + (event.duration ?? TYPING_MS) };
  }
  if (event.type === "message" && event.from === "guest" && event.seq === undefined) {
    // Who writes wants to see it: the reader is brought to the end, and an old refusal is no longer news.
    next = { ...next, problem: undefined, isAtEnd: true, unread: 0 };
  }
  // What comes through a connection shows that it is there, whatever the browser says of the network.
  const isFromOutside = event.type !== "receipt" && !("from" in event && event.from === "guest");
  if (next.status === "connected" && next.troubleSince !== undefined && isFromOutside) next.troubleSince = undefined;
  if (next.isEnding && hasEnded(next)) next.isEnding = false;
  if (event.type === "receipt" && (event.status === "failed" || event.status === "unconfirmed")) {
    const rows = transcript !== before ? transcript.rows : next.pending !== state.pending ? next.pending.rows : [];
    const row = rows.find((other) => other.kind === "message" && other.clientId === event.clientId);
    if (row?.kind === "message") next = announce(next, { what: event.status, text: row.text });
  }
  next = watchDelivery(watchForAgents(next, event, now), event, now);
  for (const row of transcript.rows.slice(before.rows.length)) {
    if (row.kind === "notice") {
      next = announce(next, { what: row.notice, name: row.name });
    } else if (row.from !== "guest") {
      // What came late stands further up, where the reader may be.
      if (!next.isAtEnd && !row.late) next.unread += 1;
      next = announce(next, { what: row.late ? "late" : "said", name: row.name, from: row.from, text: row.text, content: row.content });
    }
  }
  return next;
}

/**
 * Mark where a new conversation follows the old one in the same session.
 *
 * @param {Transcript} before
 * @param {Transcript} after
 * @returns {Transcript}
 */
function beginAnew(before, after) {
  if (before.status !== "ended" || after.status === "ended") return after;
  return { ...after, rows: [...before.rows, NEW, ...after.rows.slice(before.rows.length)] };
}

/**
 * @param {UiState} state
 * @param {Message} message
 */
function isOwnInRelay(state, message) {
  return message.from === "guest" && message.clientId !== undefined && state.extensions.includes("hello");
}

/**
 * @param {UiState} state
 * @param {ChatEvent} event
 * @param {boolean} isPending
 * @returns {Transcript}
 */
function pendingAfter({ pending }, event, isPending) {
  if (isPending || event.type === "receipt") return applyEvent(pending, event);
  if (event.type !== "message" || event.seq === undefined || event.clientId === undefined) return pending;
  const rows = pending.rows.filter((row) => row.kind === "message" && row.clientId !== event.clientId);
  return rows.length === pending.rows.length ? pending : { ...pending, rows };
}

/**
 * Put what the log has in the place of what was shown, silently. What waits is told again after it.
 *
 * @param {UiState} state
 * @param {Extract<ChatEvent, { type: "reset" }>} event
 * @param {number} now
 * @returns {UiState}
 */
function reset(state, { isNewSession, events }, now) {
  const rows = isNewSession
    ? restart({ ...state, pending: EMPTY_TRANSCRIPT }).transcript.rows
    : state.transcript.rows.slice(0, state.earlier);
  /** @type {UiState} */
  let next = {
    ...state,
    earlier: rows.length,
    startsAt: rows.length,
    transcript: { rows, typing: [] },
    pending: EMPTY_TRANSCRIPT,
    orderKeys: {},
    waitingSince: undefined,
  };
  for (const inner of events) next = applyToTranscript(next, inner, now);
  const { announcements, isAtEnd, unread } = state;
  return { ...next, announcements, isAtEnd, unread };
}

/**
 * Count the time without an agent from the beginning of the wait, or from the last word; not while a bot has offered
 * choices: then it waits for the guest.
 *
 * @param {UiState} state
 * @param {ChatEvent} event
 * @param {number} now
 * @returns {UiState}
 */
function watchForAgents(state, event, now) {
  const { status, reason } = state.transcript;
  if (status !== "waiting") return { ...state, waitingSince: undefined, isUnattended: false };
  if (reason && UNATTENDED_REASONS.has(reason) && !state.isUnattended) {
    return announce({ ...state, isUnattended: true }, { what: "no-agent" });
  }
  const isMessage = event.type === "message";
  const isSignOfLife = isMessage && event.from !== "guest";
  if (isSignOfLife && event.content?.some(({ contentType }) => contentType === "QuickReply")) {
    return { ...state, waitingSince: undefined, isUnattended: false };
  }
  const isBeginning = state.waitingSince === undefined && (isMessage || event.type === "conversation-update");
  if (!isSignOfLife && !isBeginning) return state;
  return { ...state, waitingSince: now, isUnattended: false };
}

/**
 * Count the time that the first message which the gateway keeps has not been passed on to the provider.
 *
 * @param {UiState} state
 * @param {ChatEvent} event
 * @param {number} now
 * @returns {UiState}
 */
function watchDelivery(state, event, now) {
  if (event.type !== "receipt" && event.type !== "conversation-update") return state;
  const { transcript, pending, startsAt, undelivered } = state;
  const rows = hasEnded(state) ? [] : [...transcript.rows.slice(startsAt), ...pending.rows];
  // One that waits for a known time says so itself, and holds the others back.
  const first = rows.find(
    (row) => row.kind === "message" && row.clientId && (row.state === "accepted" || row.state === "waiting"),
  );
  const clientId = first?.kind === "message" && first.state === "accepted" ? first.clientId : undefined;
  if (clientId !== undefined && clientId === undelivered?.clientId) return state;
  return { ...state, undelivered: clientId === undefined ? undefined : { clientId, since: now }, isStuck: false };
}

/**
 * @param {UiState} state
 * @param {number} now
 * @returns {UiState}
 */
function passTime(state, now) {
  let { transcript } = state;
  for (const from of transcript.typing) {
    if ((state.typingUntil[from] ?? 0) <= now) transcript = applyEvent(transcript, { type: "typing-expired", from });
  }
  let next = { ...state, transcript };
  if (state.undelivered && !state.isStuck && now >= state.undelivered.since + STUCK_AFTER_MS) {
    next = announce({ ...next, isStuck: true }, { what: "stuck" });
  }
  if (state.problem?.until !== undefined && state.problem.until <= now) next.problem = undefined;
  if (state.waitingSince === undefined || state.isUnattended || now < state.waitingSince + UNATTENDED_AFTER_MS) return next;
  return announce({ ...next, isUnattended: true }, { what: "no-agent" });
}

/**
 * Keep what was said for reading, but forget its ids: another session may use the same ones.
 *
 * @param {UiState} state
 * @returns {UiState}
 */
function restart(state) {
  // What is still on its way goes to the next session and is shown there.
  const failed = state.pending.rows.filter((row) => row.kind === "message" && row.state === "failed");
  const shown = shownRows({ ...state, pending: { ...state.pending, rows: failed } });
  /** @type {Row[]} */
  const rows = shown.map(({ row }) => {
    if (row.kind !== "message") return row;
    const { id: _id, clientId: _clientId, seq: _seq, ...rest } = row;
    return rest;
  });
  if (rows.length > state.startsAt) rows.push(NEW);
  return {
    ...INITIAL_STATE,
    isOnline: state.isOnline,
    announcements: state.announcements,
    transcript: { rows, typing: [] },
    earlier: rows.length,
    startsAt: rows.length,
  };
}

/**
 * @param {UiState} state
 * @param {Announcement} announcement
 * @returns {UiState}
 */
function announce(state, announcement) {
  return { ...state, announcements: [...state.announcements, announcement] };
}

/**
 * @param {number} now
 * @param {number | undefined} seconds From outside, so it may be anything.
 */
function timeAfter(now, seconds) {
  return seconds === undefined || Number.isNaN(seconds) ? undefined : now + Math.min(seconds, LONGEST_WAIT_S) * 1000;
}

/** @param {UiState} state */
function hasEnded({ transcript }) {
  return transcript.status === "ended";
}

// --- what views ask ------------------------------------------------------------------------------------------------

/**
 * When `time-passed` is due next.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {number | undefined} Undefined for never.
 */
export function nextDeadline(state, now) {
  const times = state.transcript.typing.map((from) => state.typingUntil[from] ?? now);
  if (state.waitingSince !== undefined && !state.isUnattended) times.push(state.waitingSince + UNATTENDED_AFTER_MS);
  if (state.undelivered && !state.isStuck) times.push(state.undelivered.since + STUCK_AFTER_MS);
  if (state.troubleSince !== undefined && now < state.troubleSince + CALM_MS) times.push(state.troubleSince + CALM_MS);
  // A wait is shown in whole seconds, so it changes when less than one of them is left.
  for (const until of [state.retryAt, state.problem?.until, ...Object.values(state.waitingUntil)]) {
    if (until !== undefined && until > now) times.push(until - (Math.ceil((until - now) / 1000) - 1) * 1000);
  }
  return times.length ? Math.min(...times) : undefined;
}

/**
 * @param {UiState} state
 * @param {Row} row
 */
function isShown({ replaced }, row) {
  return row.kind !== "message" || !replaced.includes(row.clientId ?? "");
}

/**
 * What is to be read, in its order. A row's key is its own for as long as it is shown.
 *
 * @param {UiState} state
 * @returns {{ key: string, row: Row }[]}
 */
export function shownRows(state) {
  const rows = [...state.transcript.rows, ...state.pending.rows]
    .map((row, index) => ({ key: (row.kind === "message" && row.clientId) || String(index), row }))
    .filter(({ row }) => isShown(state, row));
  return inOrder(rows, ({ row }) => placeOf(state, row));
}

/**
 * @param {UiState} state
 * @param {Row} row
 * @returns {string | undefined} Its place in the provider's order; of what the provider does not have yet, after all others.
 */
function placeOf({ orderKeys }, row) {
  if (row.kind !== "message" || row.seq === undefined) return undefined;
  const isOnItsWay = row.clientId !== undefined && (row.state === "accepted" || row.state === "waiting");
  return orderKeys[row.seq] ?? (isOnItsWay ? LAST_PLACE : undefined);
}

/**
 * The provider's order where it is known: rows with a place in it stand by that place, the others where they came.
 *
 * @template Item
 * @param {Item[]} items In the order they came.
 * @param {(item: Item) => string | undefined} place
 * @returns {Item[]}
 */
function inOrder(items, place) {
  /** @type {Item[]} */
  const ordered = [];
  let last = "";
  for (const item of items) {
    const own = place(item);
    if (own === undefined || own >= last) ordered.push(item);
    else ordered.splice(ordered.findIndex((other) => (place(other) ?? "") > own), 0, item);
    if (own !== undefined && own > last) last = own;
  }
  return ordered;
}

/**
 * What a guest can do about a message of theirs that did not arrive: try it again, or not even know whether it did.
 *
 * @param {UiState} state
 * @param {MessageRow} row
 * @returns {"failed" | "unconfirmed" | undefined}
 */
export function remedyOf(state, row) {
  const isLost = row.state !== undefined && LOST.has(row.state) && row.clientId !== undefined;
  return isLost && composerMode(state) === "on" ? /** @type {"failed" | "unconfirmed"} */ (row.state) : undefined;
}

/**
 * What the composer is: `off` before the first connection and once the guest has ended the chat, `on`, or `ended`. On
 * while reconnecting: what is sent then waits for the socket.
 *
 * @param {UiState} state
 * @returns {"off" | "on" | "ended"}
 */
export function composerMode(state) {
  if (hasEnded(state)) return "ended";
  return state.hasConnected && !state.isEnding ? "on" : "off";
}

/**
 * @typedef {object} Banner
 * @property {"danger" | "warning"} level
 * @property {string} code Key of the words.
 * @property {string} [text] The other side's words, for a code without words of ours; untrusted.
 * @property {number} [waitS] Whole seconds to wait, or until the next attempt.
 * @property {"try-again" | "try-now" | "use-here" | "dismiss"} [action] Absent when nothing that the guest could do would help.
 */

/**
 * What stands in the guest's way, if anything.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {Banner | undefined}
 */
export function bannerOf(state, now) {
  const trouble = troubleOf(state, now);
  const { problem } = state;
  if (trouble || !problem) return trouble;
  return { level: "warning", code: problem.code, text: problem.text, ...waitUntil(problem.until, now), action: "dismiss" };
}

/**
 * The connection's status as it is shown: a planned move is none of the guest's business while it goes well.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {ConnectionStatus}
 */
export function shownStatus({ status, error, troubleSince }, now) {
  const isMoving = error?.code === MOVED && troubleSince !== undefined && now < troubleSince + CALM_MS;
  return isMoving && status !== "failed" ? "connected" : status;
}

/**
 * What is wrong with the connection, if anything.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {Banner | undefined}
 */
function troubleOf(state, now) {
  const { status, error, hasConnected, isOnline } = state;
  if (status === "failed") {
    const code = error?.code ?? "internal";
    if (code === "too-many-tabs") return { level: "warning", code, action: "use-here" };
    return { level: "danger", code, text: error?.text, ...(!HOPELESS.has(code) && { action: "try-again" }) };
  }
  if (status === "disconnected" && state.hasStarted && !hasEnded(state)) {
    return { level: "warning", code: "closed", action: "try-again" };
  }
  if (state.troubleSince === undefined || now < state.troubleSince + CALM_MS) return undefined;
  const lost = error?.code ?? "connection-lost";
  const code = !isOnline ? "offline" : ((hasConnected ? ONCE_CONNECTED : NEVER_CONNECTED)[lost] ?? lost);
  return { level: "warning", code, text: error?.text, ...(isOnline && waitUntil(state.retryAt, now)), action: "try-now" };
}

/**
 * @param {number | undefined} until
 * @param {number} now
 * @returns {{ waitS?: number }}
 */
function waitUntil(until, now) {
  return until !== undefined && until > now ? { waitS: Math.ceil((until - now) / 1000) } : {};
}

/**
 * From which shown row on the choices that messages offer may still be taken: nothing was said after them by the guest.
 *
 * @param {UiState} state
 * @returns {number} Infinity when the chat takes no answers.
 */
export function answerableFrom(state) {
  if (composerMode(state) !== "on") return Infinity;
  const answered = shownRows(state).findLastIndex(({ row }) => row.kind === "message" && row.from === "guest");
  return Math.max(state.startsAt, answered + 1);
}

/**
 * Whether two neighbouring rows read as one: the same sender within the same minute, or without a time of its own.
 *
 * @param {MessageRow} row
 * @param {MessageRow} next
 */
export function areOneGroup(row, next) {
  if (row.from !== next.from || row.name !== next.name) return false;
  if (row.sentAt === undefined || next.sentAt === undefined) return true;
  return Math.floor(row.sentAt / 60_000) === Math.floor(next.sentAt / 60_000);
}
