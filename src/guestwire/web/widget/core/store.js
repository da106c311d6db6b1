/**
 * The whole state of the UI, as one pure reducer: `reduce(state, event, now) → state`, and the questions that views ask
 * of it. Times are epoch milliseconds and always passed in.
 *
 * Views compare parts by identity: a part that did not change is the same object.
 */

/** @import { ChatEvent, ConnectionStatus, Message, MessageRow, Row, StatusError, Transcript } from "./types.js" */

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
 * @typedef {{ type: "restarted" }} Restarted A new conversation begins below the old one.
 * @typedef {{ type: "replaced", clientIds: string[] }} Replaced The guest has taken these messages back, or sent them anew.
 * @typedef {{ type: "time-passed" }} TimePassed The clock's word that `nextDeadline()` is over.
 * @typedef {ChatEvent | SessionKnown | Scrolled | NetworkChanged | Dismissed | ProblemFound | Restarted | Replaced | TimePassed} UiEvent
 */

/**
 * Something to be said to screen readers, once, in the order of `n`.
 *
 * @typedef {object} Announcement
 * @property {number} n
 * @property {"said" | "joined" | "left" | "ended" | "connected" | "reconnecting" | "error" | "no-agent"} what
 * @property {string} [name]
 * @property {string} [from]
 * @property {string} [text]
 * @property {string} [code]
 */

/**
 * @typedef {object} UiState
 * @property {ConnectionStatus} status
 * @property {boolean} hasConnected Whether the socket was ever open for this conversation.
 * @property {boolean} isOnline
 * @property {StatusError} [error] Why the connection failed or is being tried again.
 * @property {number} [retryAt]
 * @property {number} [troubleSince] Since when the connection has been lost.
 * @property {{ code: string, text?: string, until?: number }} [problem] What was refused while the connection stayed.
 * @property {string[]} extensions
 * @property {Transcript} transcript
 * @property {Transcript} pending In relay mode the guest's own messages that the log has not shown us yet; below the others.
 * @property {number} earlier How many rows belong to sessions before this one.
 * @property {string[]} replaced Client ids of messages that are not shown any more.
 * @property {Record<string, number>} waitingUntil By client id.
 * @property {Record<string, number>} typingUntil By sender.
 * @property {number} [waitingSince] Last sign of life while no agent has the conversation.
 * @property {boolean} isUnattended Whether nobody has answered for so long that the guest should know.
 * @property {boolean} isAtEnd Whether the reader is at the end of the transcript.
 * @property {number} unread Messages that came while the reader was further up.
 * @property {Announcement[]} announcements The last few.
 */

/** An indicator without a duration hides after this (guest-session §4.3 rule 6). */
export const TYPING_MS = 5_000;

/** So long without an agent, and the guest is told (guest-session §6.4). */
export const UNATTENDED_AFTER_MS = 30_000;

/** A shorter outage is shown in the header only: most are over before a banner could be read. */
export const CALM_MS = 1_000;

/** Reasons that mean at once what `UNATTENDED_AFTER_MS` of silence means. */
const UNATTENDED_REASONS = new Set(["no-agents", "flow-unpublished"]);

const KEPT_ANNOUNCEMENTS = 20;

/** @type {UiState} */
export const INITIAL_STATE = Object.freeze({
  status: "disconnected",
  hasConnected: false,
  isOnline: true,
  extensions: [],
  transcript: EMPTY_TRANSCRIPT,
  pending: EMPTY_TRANSCRIPT,
  earlier: 0,
  replaced: [],
  waitingUntil: {},
  typingUntil: {},
  isUnattended: false,
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
      return event.isOnline === state.isOnline ? state : { ...state, isOnline: event.isOnline };
    case "dismissed":
      return state.problem ? { ...state, problem: undefined } : state;
    case "problem":
      return announce({ ...state, problem: { code: event.code } }, { what: "error", code: event.code });
    case "error": {
      const { code, text, retryAfter } = event;
      const until = retryAfter === undefined ? undefined : now + retryAfter * 1000;
      return announce({ ...state, problem: { code, text, until } }, { what: "error", code, text });
    }
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
  const wasTrouble = state.troubleSince !== undefined;
  // Quiet again: it is well, given up on purpose, or begun anew by the guest.
  const isSettled = status === "connected" || status === "disconnected" || (state.status === "failed" && !isTrouble);
  /** @type {UiState} */
  const next = {
    ...state,
    status,
    // An error stays in view while the attempts that follow it are under way.
    error: error ?? (isSettled ? undefined : state.error),
    retryAt: retryIn === undefined ? undefined : now + retryIn * 1000,
    hasConnected: state.hasConnected || status === "connected",
    troubleSince: isSettled ? undefined : (state.troubleSince ?? (isTrouble ? now : undefined)),
  };
  if (status === "failed") return announce(next, { what: "error", code: error?.code ?? "internal", text: error?.text });
  if (status === "reconnecting" && !wasTrouble) return announce(next, { what: "reconnecting" });
  if (status === "connected" && (wasTrouble || !state.hasConnected)) return announce(next, { what: "connected" });
  return next;
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
  const transcript = isPending ? before : applyEvent(before, event);
  /** @type {UiState} */
  let next = { ...state, transcript, pending: pendingAfter(state, event, isPending) };
  if (event.type === "receipt" && event.retryAfter !== undefined) {
    next.waitingUntil = { ...state.waitingUntil, [event.clientId]: now + event.retryAfter * 1000 };
  }
  if (event.type === "typing") {
    next.typingUntil = { ...state.typingUntil, [event.from]: now + (event.duration ?? TYPING_MS) };
  }
  if (event.type === "message" && event.from === "guest" && event.seq === undefined) {
    // Who writes wants to see it: the reader is brought to the end, and an old refusal is no longer news.
    next = { ...next, problem: undefined, isAtEnd: true, unread: 0 };
  }
  next = watchForAgents(next, event, now);
  for (const row of transcript.rows.slice(before.rows.length)) {
    if (row.kind === "notice") {
      next = announce(next, { what: row.notice, name: row.name });
    } else if (row.from !== "guest") {
      if (!next.isAtEnd) next.unread += 1;
      next = announce(next, { what: "said", name: row.name, from: row.from, text: row.text });
    }
  }
  return next;
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
  let next = { ...state, earlier: rows.length, transcript: { rows, typing: [] }, pending: EMPTY_TRANSCRIPT, waitingSince: undefined };
  for (const inner of events) next = applyToTranscript(next, inner, now);
  const { announcements, isAtEnd, unread } = state;
  return { ...next, announcements, isAtEnd, unread };
}

/**
 * Count the time without an agent from the beginning of the wait, or from the bot's last word.
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
  const isSignOfLife = event.type === "message" && event.from !== "guest";
  if (state.waitingSince !== undefined && !isSignOfLife) return state;
  return { ...state, waitingSince: now, isUnattended: false };
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
  const next = { ...state, transcript };
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
  const shown = [...state.transcript.rows, ...failed].filter((row) => isShown(state, row));
  const rows = shown.map((row) => {
    if (row.kind !== "message") return row;
    const { id: _id, clientId: _clientId, seq: _seq, ...rest } = row;
    return rest;
  });
  return {
    ...INITIAL_STATE,
    isOnline: state.isOnline,
    announcements: state.announcements,
    earlier: rows.length,
    transcript: { rows, typing: [] },
  };
}

/**
 * @param {UiState} state
 * @param {Omit<Announcement, "n">} announcement
 * @returns {UiState}
 */
function announce(state, announcement) {
  const n = (state.announcements.at(-1)?.n ?? 0) + 1;
  return { ...state, announcements: [...state.announcements.slice(1 - KEPT_ANNOUNCEMENTS), { ...announcement, n }] };
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
  return [...state.transcript.rows, ...state.pending.rows]
    .map((row, index) => ({ key: (row.kind === "message" && row.clientId) || String(index), row }))
    .filter(({ row }) => isShown(state, row));
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
 * What the composer is: `off` before the first connection, `on`, or `ended`. On while reconnecting: what is sent then
 * waits for the socket.
 *
 * @param {UiState} state
 * @returns {"off" | "on" | "ended"}
 */
export function composerMode(state) {
  if (state.transcript.status === "ended") return "ended";
  return state.hasConnected ? "on" : "off";
}

/**
 * @typedef {object} Banner
 * @property {"danger" | "warning"} level
 * @property {string} code Key of the words.
 * @property {string} [text] The other side's words, for a code without words of ours; untrusted.
 * @property {number} [waitS] Whole seconds to wait, or until the next attempt.
 * @property {"try-again" | "try-now" | "dismiss"} action
 */

/**
 * What stands in the guest's way, if anything.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {Banner | undefined}
 */
export function bannerOf(state, now) {
  const { status, error, problem } = state;
  /** @param {number | undefined} until */
  const wait = (until) => (until !== undefined && until > now ? { waitS: Math.ceil((until - now) / 1000) } : {});
  if (status === "failed") {
    return { level: "danger", code: error?.code ?? "internal", text: error?.text, action: "try-again" };
  }
  if (status === "disconnected" && composerMode(state) === "on") {
    return { level: "warning", code: "closed", action: "try-again" };
  }
  if (state.troubleSince !== undefined && now >= state.troubleSince + CALM_MS) {
    const code = state.isOnline ? (error?.code ?? "connection-lost") : "offline";
    return { level: "warning", code, text: error?.text, ...(state.isOnline && wait(state.retryAt)), action: "try-now" };
  }
  if (problem) {
    return { level: "warning", code: problem.code, text: problem.text, ...wait(problem.until), action: "dismiss" };
  }
  return undefined;
}

/**
 * From which shown row on the choices that messages offer may still be taken: nothing was said after them by the guest.
 *
 * @param {UiState} state
 * @returns {number} Infinity when the chat takes no answers.
 */
export function answerableFrom(state) {
  if (composerMode(state) !== "on") return Infinity;
  return shownRows(state).findLastIndex(({ row }) => row.kind === "message" && row.from === "guest") + 1;
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
