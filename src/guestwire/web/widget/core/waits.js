/** What time alone changes: who is typing, nobody answers, a message is stuck. */

/** @import { ChatEvent } from "./types.js" */
/** @import { UiState } from "./state.js" */

import { announce, hasEnded } from "./state.js";
import { applyEvent } from "./transcript.js";
import { CALM_MS, EXPIRY_WARNING_MS, MINUTE_MS } from "./trouble.js";

/** An indicator without a duration hides after this (guest-session §4.3 rule 6). */
export const TYPING_MS = 5_000;

/** So long without an agent, and the guest is told (guest-session §6.4). */
export const UNATTENDED_AFTER_MS = 30_000;

/** A message that is kept for so long and not passed on needs a word. */
export const STUCK_AFTER_MS = 5_000;

/** Content that waits for the guest's choice. */
const QUESTIONS = new Set(["QuickReply", "QuickReplyV2", "ButtonResponse", "Card", "Carousel", "DatePicker", "ListPicker", "Form"]);

/** Reasons that mean at once what `UNATTENDED_AFTER_MS` of silence means. */
const UNATTENDED_REASONS = new Set(["no-agents", "flow-unpublished"]);

/**
 * Count the time without an agent from the beginning of the wait, or from the last word; not while a bot has offered
 * choices: then it waits for the guest.
 *
 * @param {UiState} state
 * @param {ChatEvent} event
 * @param {number} now
 * @returns {UiState}
 */
export function watchForAgents(state, event, now) {
  const { status, reason } = state.transcript;
  if (status !== "waiting") return { ...state, waitingSince: undefined, isUnattended: false };
  if (reason && UNATTENDED_REASONS.has(reason) && !state.isUnattended) {
    return announce({ ...state, isUnattended: true }, { what: "no-agent" });
  }
  const isMessage = event.type === "message";
  const isSignOfLife = isMessage && event.from !== "guest";
  const last = state.transcript.rows.findLast((row) => row.kind === "message");
  const isAsked = last?.kind === "message" && last.from !== "guest" && last.content?.some(({ contentType }) => QUESTIONS.has(contentType));
  if (isAsked && !(isMessage && !isSignOfLife)) return { ...state, waitingSince: undefined, isUnattended: false };
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
export function watchDelivery(state, event, now) {
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
export function passTime(state, now) {
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
  const { expiresAt } = state.terms;
  if (expiresAt !== undefined && expiresAt > now) {
    // The last minutes are counted down, one by one.
    const minutes = Math.min(Math.ceil((expiresAt - now) / MINUTE_MS) - 1, EXPIRY_WARNING_MS / MINUTE_MS);
    times.push(expiresAt - minutes * MINUTE_MS);
  }
  // A wait is shown in whole seconds, so it changes when less than one of them is left.
  for (const until of [state.retryAt, state.problem?.until, ...Object.values(state.waitingUntil)]) {
    if (until !== undefined && until > now) times.push(until - (Math.ceil((until - now) / 1000) - 1) * 1000);
  }
  return times.length ? Math.min(...times) : undefined;
}
