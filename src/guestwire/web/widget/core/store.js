/**
 * The whole state of the UI, as one pure reducer: `reduce(state, event, now) → state`. Times are epoch milliseconds and
 * always passed in. What views ask of the state is in shown.js, trouble.js and waits.js.
 *
 * Views compare parts by identity: a part that did not change is the same object.
 */

/** @import { ChatEvent, Message, MessageRow, Row, Transcript } from "./types.js" */
/** @import { Queue, UiEvent, UiState } from "./state.js" */

import { announce, hasEnded, INITIAL_STATE, timeAfter } from "./state.js";
import { shownRows } from "./shown.js";
import { applyEvent, EMPTY_TRANSCRIPT, replay } from "./transcript.js";
import { applyNetwork, applyStatus, sayTrouble } from "./trouble.js";
import { passTime, TYPING_MS, watchDelivery, watchForAgents } from "./waits.js";

/** @type {Row} */
const NEW = Object.freeze({ kind: "notice", notice: "new" });

/** Why a conversation ended of which nothing is kept. */
const CLEARED = "cleared";

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
    case "terms":
      return { ...state, terms: event };
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
      return sayCleared(reset(state, event, now), state);
    case "time-passed":
      return passTime(state, now);
    default:
      // Whoever was connected while it was cleared sees it go too.
      return isClearing(event)
        ? sayCleared(reset(state, { type: "reset", isNewSession: false, events: [event] }, now), state)
        : applyToTranscript(state, event, now);
  }
}

/**
 * @param {UiState} state
 * @param {ChatEvent} event
 * @param {number} now
 * @param {boolean} [isReplay] What watches over the whole transcript is done once, after it.
 * @returns {UiState}
 */
function applyToTranscript(state, event, now, isReplay = false) {
  const before = state.transcript;
  // A replay makes the same rows longer.
  const { length } = before.rows;
  const isPending = event.type === "message" && event.seq === undefined && isOwnInRelay(state, event);
  const transcript = isPending ? before : handOver(beginAnew(before, applyEvent(before, event), length), length, state.startsAt);
  /** @type {UiState} */
  let next = { ...state, transcript, pending: pendingAfter(state, event, isPending) };
  if (before.status === "ended" && transcript.status !== "ended") next.startsAt = length + 1;
  if (event.type === "receipt" && event.retryAfter !== undefined) {
    next.waitingUntil = { ...state.waitingUntil, [event.clientId]: timeAfter(now, event.retryAfter) ?? now };
  }
  if (event.type === "conversation-update") next = noteCompany(next, event);
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
  next = watchForAgents(next, event, now);
  if (isReplay) return next;
  next = watchDelivery(next, event, now);
  for (const row of transcript.rows.slice(length)) {
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
 * @param {number} length Of the rows before.
 * @returns {Transcript}
 */
function beginAnew(before, after, length) {
  if (before.status !== "ended" || after.status === "ended") return after;
  return { ...after, rows: after.rows.toSpliced(length, 0, NEW) };
}

/**
 * Say that a person has taken over where a bot spoke before.
 *
 * @param {Transcript} after
 * @param {number} length Of the rows before.
 * @param {number} startsAt
 * @returns {Transcript}
 */
function handOver(after, length, startsAt) {
  const last = after.rows.at(-1);
  if (after.rows.length === length || last?.kind !== "notice" || last.notice !== "joined") return after;
  const index = after.rows.length - 1;
  const speaker = after.rows.slice(startsAt, index).findLast((row) => row.kind === "notice" || row.from !== "guest");
  if (speaker?.kind !== "message" || speaker.from !== "bot") return after;
  return { ...after, rows: after.rows.with(index, { ...last, notice: "handover" }) };
}

/**
 * Note the guest's place in the queue, while there is one, and what the agent looks like.
 *
 * @param {UiState} state
 * @param {Extract<ChatEvent, { type: "conversation-update" }>} event
 * @returns {UiState}
 */
function noteCompany(state, { status, agentAvatar, agentName, position, estimatedWait, expiresAt }) {
  const next = { ...state };
  if (expiresAt !== undefined) next.terms = { ...state.terms, expiresAt };
  const isSame = agentName === undefined || agentName === state.transcript.agentName;
  next.agentAvatar = agentAvatar ?? (state.transcript.status === "connected" && isSame ? state.agentAvatar : undefined);
  if (status === "connected" && agentName !== undefined && agentAvatar === undefined) next.agentAvatar = undefined;
  if (state.transcript.status !== "waiting") return { ...next, queue: undefined };
  if (position === undefined && estimatedWait === undefined) return next;
  /** @type {Queue} */
  const queue = { ...(position !== undefined && { position }), ...(estimatedWait !== undefined && { estimatedWait }) };
  next.queue = queue;
  return position === undefined || position === state.queue?.position ? next : announce(next, { what: "queue", queue });
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
  const isCleared = events.some(isClearing);
  const kept = isNewSession ? restart({ ...state, pending: EMPTY_TRANSCRIPT }).transcript.rows : state.transcript.rows.slice(0, state.earlier);
  const rows = isCleared ? [] : kept;
  /** @type {UiState} */
  let next = {
    ...state,
    earlier: rows.length,
    startsAt: rows.length,
    transcript: { rows, typing: [] },
    pending: EMPTY_TRANSCRIPT,
    waitingSince: undefined,
  };
  next = replay(next, events, (current, inner) => applyToTranscript(current, inner, now, true), ({ transcript }) => transcript.rows);
  next = watchDelivery(next, { type: "conversation-update" }, now);
  const { announcements, isAtEnd, unread } = state;
  return { ...next, announcements, isAtEnd, unread };
}

/** @param {ChatEvent} event */
function isClearing(event) {
  return event.type === "conversation-update" && event.reason === CLEARED;
}

/**
 * A reset is silent, but whoever asked for the transcript to go wants to hear that it has gone.
 *
 * @param {UiState} state
 * @param {UiState} before
 * @returns {UiState}
 */
function sayCleared(state, before) {
  const isNews = state.transcript.reason === CLEARED && before.transcript.reason !== CLEARED && before.transcript.rows.length > 0;
  return isNews ? announce(state, { what: "cleared" }) : state;
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
    const { id: _id, clientId: _clientId, seq: _seq, providerId: _providerId, inReplyTo: _inReplyTo, ...rest } = row;
    return /** @type {MessageRow} */ (rest);
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
