/** What stands in the guest's way: the connection, a refusal, the end of the session's time. */

/** @import { ChatEvent, ConnectionStatus } from "./types.js" */
/** @import { UiState } from "./state.js" */

import { announce, hasEnded, timeAfter } from "./state.js";

/** A shorter outage is shown in the header only: most are over before a banner could be read. */
export const CALM_MS = 1_000;

export const MINUTE_MS = 60_000;

/** So long before its end the guest hears that the session will expire, as the platform's own chat does. */
export const EXPIRY_WARNING_MS = 5 * MINUTE_MS;

/** The gateway asked us to come back: nothing is wrong. */
const MOVED = "moved";

/** What only the owner of the site can mend: trying again would only fail again. */
const HOPELESS = new Set(["bad-request", "not-found"]);

/** What the same trouble is called: what has worked before is not forbidden. @type {Record<string, string>} */
const ONCE_CONNECTED = { "blocked-or-unreachable": "unreachable" };
/** @type {Record<string, string>} */
const NEVER_CONNECTED = { "connection-lost": "not-connected" };

/**
 * @param {UiState} state
 * @param {Extract<ChatEvent, { type: "status" }>} event
 * @param {number} now
 * @returns {UiState}
 */
export function applyStatus(state, event, now) {
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
export function applyNetwork(state, isOnline, now) {
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
export function sayTrouble(state, now) {
  const trouble = troubleOf(state, now);
  const { code, text } = trouble ?? expiryOf(state, now) ?? {};
  let next = state;
  if (code !== state.saidTrouble) next = { ...next, saidTrouble: code };
  if (code !== undefined && code !== state.saidTrouble) {
    next = announce({ ...next, owesConnected: next.owesConnected || trouble !== undefined }, { what: "error", code, text });
  }
  const isWell = state.status === "connected" && state.troubleSince === undefined && !hasEnded(state);
  return isWell && state.owesConnected ? announce({ ...next, owesConnected: false }, { what: "connected" }) : next;
}

/**
 * @typedef {object} Banner
 * @property {"danger" | "warning"} level
 * @property {string} code Key of the words.
 * @property {string} [text] The other side's words, for a code without words of ours; untrusted.
 * @property {number} [waitS] Whole seconds to wait, or until the next attempt.
 * @property {number} [waitMin] The same in minutes, for the end of the session.
 * @property {"try-again" | "try-now" | "use-here" | "dismiss" | "stay" | "start-new"} [action] Absent when nothing that the guest could do would help.
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
  if (trouble || !problem) return trouble ?? expiryOf(state, now);
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
 * What is to be said of the end of the session's time.
 *
 * @param {UiState} state
 * @param {number} now
 * @returns {Banner | undefined}
 */
function expiryOf(state, now) {
  const { expiresAt, features, readOnly } = state.terms;
  if (expiresAt === undefined || readOnly || hasEnded(state) || now < expiresAt - EXPIRY_WARNING_MS) return undefined;
  if (now >= expiresAt) return { level: "warning", code: "expired", action: "start-new" };
  const waitMin = Math.ceil((expiresAt - now) / MINUTE_MS);
  return { level: "warning", code: "expiring", waitMin, ...(features.includes("stay") && { action: "stay" }) };
}
