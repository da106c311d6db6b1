/** The gateway's two REST calls that a guest needs (guest-session §3). */

/** @import { Guest, Session, StatusError } from "../core/types.js" */

import { ERRORS } from "../core/tables.js";

/** A request takes at most this long. */
const LIMIT_MS = 15_000;

/** The longest wait that is believed. */
const LONGEST_WAIT_S = 3600;

/** What a status means when the body has no code that we know. @type {Record<number, string>} */
const CODE_OF_STATUS = { 401: "session-refused", 403: "origin-not-allowed", 429: "rate-limited", 503: "upstream-busy" };

/** A request that did not do what it was for. */
export class RequestError extends Error {
  /**
   * @param {StatusError} error
   * @param {number} [status] HTTP status, when there was an answer.
   */
  constructor(error, status) {
    super(error.code);
    this.name = "RequestError";
    this.error = error;
    this.status = status;
  }
}

/**
 * Create a guest session.
 *
 * @param {string} gateway Base URL, ends with "/".
 * @param {Guest} guest
 * @param {string} key The same key gives the same session, once more.
 * @param {AbortSignal} signal
 * @returns {Promise<Session>}
 * @throws {RequestError}
 */
export async function createSession(gateway, guest, key, signal) {
  const body = await request(new URL("api/v2/chat/guestsessions", gateway), signal, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    body: JSON.stringify(guest),
  });
  const { sessionId, token, webSocketUrl, expiresIn, externalContactId, extensions } = body;
  if (typeof sessionId !== "string" || typeof token !== "string") throw new RequestError({ code: "upstream-invalid" });
  return {
    sessionId,
    token,
    webSocketUrl: typeof webSocketUrl === "string" ? webSocketUrl : new URL("ws", gateway).href.replace(/^http/u, "ws"),
    extensions: Array.isArray(extensions) ? extensions.filter((item) => typeof item === "string") : [],
    ...(typeof expiresIn === "number" && { expiresIn }),
    ...(typeof externalContactId === "string" && { externalContactId }),
  };
}

/**
 * Ask whether a session is still good, since a browser can't see why a socket was refused.
 *
 * @param {string} gateway
 * @param {Session} session
 * @param {AbortSignal} signal
 * @throws {RequestError} socket-refused when it is not.
 */
export async function checkSession(gateway, session, signal) {
  const url = new URL(`api/v2/chat/guestsessions/${encodeURIComponent(session.sessionId)}`, gateway);
  try {
    await request(url, signal, { headers: { Authorization: `Bearer ${session.token}` } });
  } catch (error) {
    if (error instanceof RequestError && (error.status === 401 || error.status === 404)) {
      throw new RequestError({ code: "socket-refused" });
    }
    throw error;
  }
}

/**
 * @param {URL} url
 * @param {AbortSignal} signal
 * @param {RequestInit} init
 * @returns {Promise<Record<string, unknown>>}
 */
async function request(url, signal, init) {
  let response;
  try {
    response = await fetch(url, {
      ...init,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
    });
  } catch (error) {
    signal.throwIfAborted();
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    // While online, all that fetch tells is a TypeError: blocked by CORS and unreachable look the same.
    throw new RequestError({ code: isLate ? "timed-out" : navigator.onLine ? "blocked-or-unreachable" : "unreachable" });
  }
  const body = await response.json().catch(() => undefined);
  signal.throwIfAborted();
  if (response.ok && typeof body === "object" && body !== null) return body;
  if (response.ok) throw new RequestError({ code: "upstream-invalid" });
  throw new RequestError(errorOf(response, body), response.status);
}

/**
 * @param {Response} response
 * @param {any} body `{message, code, status, contextId}` from a gateway, anything from others.
 * @returns {StatusError}
 */
function errorOf(response, body) {
  const given = body?.code;
  const code = Object.hasOwn(ERRORS, given) ? given : (CODE_OF_STATUS[response.status] ?? "internal");
  const retryAfter = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return {
    code,
    ...(typeof body?.message === "string" && { text: body.message }),
    ...(retryAfter >= 0 && { retryAfter: Math.min(retryAfter, LONGEST_WAIT_S) }),
  };
}
