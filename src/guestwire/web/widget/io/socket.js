/** One WebSocket, from open to close, as callbacks. */

/** @import { Session } from "../core/types.js" */

/**
 * @typedef {object} SocketEvents
 * @property {() => void} opened
 * @property {(text: string) => void} frameReceived
 * @property {(code: number) => void} closed Exactly once, unless `close` was called.
 */

/**
 * @typedef {object} Socket
 * @property {(text: string) => boolean} send Whether the socket took it.
 * @property {(code: number) => void} close
 */

/** A socket that has not opened by then is given up. */
const LIMIT_MS = 15_000;

/**
 * The address of a session's socket: exactly `sessionId` and `token`, in this order [T], both escaped [D]; neither of them
 * where `hello` says them (guest-session §6.1).
 *
 * @param {Session} session
 */
export function socketUrl({ webSocketUrl, sessionId, token, extensions }) {
  if (extensions.includes("hello")) return webSocketUrl;
  return `${webSocketUrl}?sessionId=${encodeURIComponent(sessionId)}&token=${encodeURIComponent(token)}`;
}

/**
 * Open the socket of a session.
 *
 * @param {Session} session
 * @param {SocketEvents} events
 * @returns {Socket}
 * @throws {DOMException} SyntaxError for a URL that is none; SecurityError for ws: on an https: page.
 */
export function openSocket(session, events) {
  const socket = new WebSocket(socketUrl(session));
  const listeners = new AbortController();
  const { signal } = listeners;
  const limit = setTimeout(() => finish(1006), LIMIT_MS);

  /** @param {number} [code] Undefined: closed by us, nobody is told. */
  function finish(code) {
    clearTimeout(limit);
    if (signal.aborted) return;
    listeners.abort();
    socket.close();
    if (code !== undefined) events.closed(code);
  }

  socket.addEventListener(
    "open",
    () => {
      clearTimeout(limit);
      events.opened();
    },
    { signal },
  );
  socket.addEventListener(
    "message",
    ({ data }) => {
      // The protocol has text frames only; a binary one is reported like any other frame that is not JSON.
      events.frameReceived(typeof data === "string" ? data : "");
    },
    { signal },
  );
  socket.addEventListener("close", ({ code }) => finish(code), { signal });

  return {
    send: (text) => {
      // A closing socket takes a frame without a word and drops it.
      const isOpen = socket.readyState === WebSocket.OPEN;
      if (isOpen) socket.send(text);
      return isOpen;
    },
    close: (code) => {
      if (socket.readyState === WebSocket.OPEN) socket.close(code);
      finish();
    },
  };
}
