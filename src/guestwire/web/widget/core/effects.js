/** What the connection core tells its shell to do, and what it refuses. */

/** @import { Session, Unsent } from "./types.js" */
/** @import { Seen } from "./relay.js" */

/**
 * What the shell is to do. `authenticate` and `create-session` are answered with `authenticated` and `sessionCreated`,
 * `open-socket` with `opened` or `closed`, `check-session` with `stillValid`, each of them else with `attemptFailed`; `send-frame` with `sent` when it has a `clientId`; `close-socket`, which is for the spare too, with nothing.
 *
 * @typedef {{ type: "authenticate" } | { type: "create-session" } | { type: "open-socket", session: Session }
 *   | { type: "check-session", session: Session } | { type: "send-frame", text: string, clientId?: string }
 *   | { type: "close-socket", code: number }} PlainEffect
 *
 * In relay mode also: `open-spare` is answered like `open-socket`, with `isSpare`; `swap-sockets` closes the first socket
 * and puts the spare in its place. What is to be remembered outlives the page; only the session is shared by all of the
 * guest's tabs at once, and is forgotten only while it still has that token.
 *
 * @typedef {PlainEffect | { type: "open-spare", session: Session } | { type: "send-frame", text: string, isSpare: true }
 *   | { type: "swap-sockets" } | { type: "close-spare" }
 *   | { type: "remember-session", session: Session } | { type: "forget-session", token: string }
 *   | { type: "remember-seen", sessionId: string, seen: Seen }
 *   | { type: "remember-message", message: Unsent } | { type: "forget-message", clientId: string }} Effect
 */

/** The guest may not do that now, or not with that; `code` is a key of the table of errors. Nothing was changed. */
export class RejectedError extends Error {
  /**
   * @param {string} code
   * @param {string} [message]
   */
  constructor(code, message = code) {
    super(message);
    this.name = "RejectedError";
    this.code = code;
  }
}
