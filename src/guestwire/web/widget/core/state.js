/** The state of the UI, its beginning, and the small verbs that all who change it share. */

/** @import { ChatEvent, ConnectionStatus, ContentItem, StatusError, Terms, Transcript } from "./types.js" */

import { NO_TERMS } from "./terms.js";
import { EMPTY_TRANSCRIPT } from "./transcript.js";

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
 *   | "stuck" | "handover" | "queue" | "cleared" | "stayed"} what
 * @property {string} [name]
 * @property {string} [from]
 * @property {string} [text]
 * @property {ContentItem[]} [content]
 * @property {string} [code]
 * @property {Queue} [queue]
 */

/** @typedef {{ position?: number, estimatedWait?: number }} Queue The place in it, 1 is next; seconds. */

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
 * @property {Terms} terms What holds in the session.
 * @property {Queue} [queue] While the guest waits in one.
 * @property {string} [agentAvatar] Of the agent who is there.
 * @property {Transcript} transcript
 * @property {number} earlier How many rows belong to sessions before this one.
 * @property {number} startsAt The row at which this conversation begins.
 * @property {Transcript} pending In relay mode the guest's own messages that the log has not shown us yet; below the others.
 * @property {string[]} replaced Client ids of messages that are not shown any more.
 * @property {Record<string, number>} waitingUntil By client id.
 * @property {{ clientId: string, since: number }} [undelivered] The first message that the gateway keeps and has not passed on.
 * @property {boolean} isStuck Whether that takes so long that the guest should know.
 * @property {Record<string, number>} typingUntil By sender.
 * @property {number} [waitingSince] Last sign of life while no agent has the conversation.
 * @property {boolean} isUnattended Whether nobody has answered for so long that the guest should know.
 * @property {boolean} isAtEnd Whether the reader is at the end of the transcript.
 * @property {number} unread Messages that came while the reader was further up.
 * @property {Announcement[]} announcements What is still to be said.
 */

/** The longest wait that is believed. */
const LONGEST_WAIT_S = 3600;

/** @type {UiState} */
export const INITIAL_STATE = Object.freeze({
  status: "disconnected",
  hasStarted: false,
  hasConnected: false,
  isOnline: true,
  owesConnected: true,
  isEnding: false,
  extensions: [],
  terms: NO_TERMS,
  transcript: EMPTY_TRANSCRIPT,
  earlier: 0,
  startsAt: 0,
  pending: EMPTY_TRANSCRIPT,
  replaced: [],
  waitingUntil: {},
  typingUntil: {},
  isUnattended: false,
  isStuck: false,
  isAtEnd: true,
  unread: 0,
  announcements: [],
});

/**
 * @param {UiState} state
 * @param {Announcement} announcement
 * @returns {UiState}
 */
export function announce(state, announcement) {
  return { ...state, announcements: [...state.announcements, announcement] };
}

/**
 * @param {number} now
 * @param {number | undefined} seconds From outside, so it may be anything.
 */
export function timeAfter(now, seconds) {
  return seconds === undefined || Number.isNaN(seconds) ? undefined : now + Math.min(seconds, LONGEST_WAIT_S) * 1000;
}

/** @param {UiState} state */
export function hasEnded({ transcript }) {
  return transcript.status === "ended";
}
