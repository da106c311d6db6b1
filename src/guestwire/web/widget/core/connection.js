/**
 * Client core of the guest-session protocol, from nothing to a live chat and back again: the browser's copy of
 * `guestwire.protocols.guest_session.client`, on the same tables, held to it by tests/frames/guest-session/connection.json.
 *
 * Theory of operation. The shell tells the core what happened (`start`, `authenticated`, `sessionCreated`, `opened`,
 * `frameReceived`, `closed`, `attemptFailed`, `timerDue`, …) and what the guest wants (`sendText`, `type`, `end`,
 * `stop`). After every such call it takes `effects()` and does them in order, then `events()` and shows them, then waits
 * until `nextDeadline()` or the next thing happens. The core has no clock, no randomness and no I/O; times are the
 * shell's monotonic seconds.
 */

/** @import { ChatEvent, ConnectionStatus, ContentItem, Session, StatusError } from "./types.js" */

import { decodeFrame, MAX_TEXT_BYTES, utf8Length } from "./decode.js";
import { TokenBucket } from "./token-bucket.js";
import { CLOSE_CODES, ERRORS, STATES, STATUS_OF } from "./tables.js";

/**
 * What the shell is to do. `authenticate` and `create-session` are answered with `authenticated` and `sessionCreated`,
 * `open-socket` with `opened` or `closed`, `check-session` with `stillValid`, each of them else with `attemptFailed`; `send-frame` with `sent` when it has a `clientId`; `close-socket` with nothing.
 *
 * @typedef {{ type: "authenticate" } | { type: "create-session" } | { type: "open-socket", session: Session }
 *   | { type: "check-session", session: Session } | { type: "send-frame", text: string, clientId?: string }
 *   | { type: "close-socket", code: number }} Effect
 */

/** A connection that lived this long was healthy: back-off and the one new session are granted afresh. */
const HEALTHY_AFTER_S = 30;

/** A flush is paced below what a provider takes (thirty frames in 3 s), because it drops what is over that. */
const FRAMES_PER_S = 8;
const BURST_FRAMES = 6;

/** A provider that has not closed this long after `ended` is not going to; we close then. */
const CLOSED_AFTER_END_S = 5;

/** The longest wait that a peer can ask for; a chat that is silent for longer looks dead. */
const LONGEST_HINT_S = 300;

/** At most one `typing` frame in this time (guest-session §4.2 [D]). */
const TYPING_EVERY_S = 3;

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

export class GuestSessionClient {
  /** @type {Effect[]} */
  #effects = [];
  /** @type {ChatEvent[]} */
  #events = [];
  #state = "idle";
  /** Frames that no open socket has taken yet, by client id, in order. @type {Map<string, string>} */
  #outbox = new Map();
  /** Those of them that this socket was given. @type {Set<string>} */
  #written = new Set();
  #bucket = new TokenBucket({ rate: FRAMES_PER_S, burst: BURST_FRAMES });
  /** @type {string | undefined} */
  #lastSent;
  /** @type {Session | undefined} */
  #session;
  /** @type {number | undefined} */
  #expiresAt;
  /** @type {number | undefined} */
  #retryAt;
  /** @type {number | undefined} */
  #pumpAt;
  /** @type {number | undefined} */
  #closeAt;
  /** @type {number | undefined} */
  #openedAt;
  #typedAt = -Infinity;
  #attempt = 0;
  #hintS = 0;
  #hasRenewed = false;
  #hasEnded = false;
  #wantsEnd = false;
  #saidEnd = false;
  /** @type {(attempt: number) => number} */
  #delayS;

  /**
   * @param {object} options
   * @param {(attempt: number) => number} options.delayS Seconds to wait before attempt n of a series (0, 1, 2 …); the
   *   randomness of the back-off is here.
   * @param {Session} [options.session] To be used instead of creating one.
   */
  constructor({ delayS, session }) {
    this.#delayS = delayS;
    this.#session = session;
  }

  // --- what a shell reads

  /** Where the connection is: a key of `STATES`. */
  get state() {
    return this.#state;
  }

  /** @returns {ConnectionStatus} The state in the words of guest-session §4.3 rule 3. */
  get status() {
    return STATUS_OF[this.#state];
  }

  get session() {
    return this.#session;
  }

  get hasEnded() {
    return this.#hasEnded;
  }

  /** How many messages wait for an open socket. */
  get queued() {
    return this.#outbox.size;
  }

  /** @returns {Effect[]} What to do now, in order; each is returned once. */
  effects() {
    return this.#effects.splice(0);
  }

  /** @returns {ChatEvent[]} What happened, in order; each is returned once. */
  events() {
    return this.#events.splice(0);
  }

  /** @returns {number | undefined} When to call `timerDue`; undefined for never. */
  nextDeadline() {
    return this.#retryAt ?? this.#pumpAt ?? this.#closeAt;
  }

  // --- what the guest or the page wants

  /**
   * Begin, or begin again after a failure, a stop or an end: with the session in hand while it is valid.
   *
   * @param {number} now
   * @throws {RejectedError} local-protocol: it has begun already.
   */
  start(now) {
    if (this.#hasEnded) {
      this.#forgetSession();
      if (this.#state === "connected") {
        this.#failWaiting();
        this.stop();
      }
    }
    this.#begin(now);
    this.#hasEnded = this.#wantsEnd = this.#hasRenewed = false;
    this.#attempt = 0;
  }

  /**
   * Don't wait for the back-off: the guest asked, or the network came back. Does nothing when not waiting.
   *
   * @param {number} now
   */
  retryNow(now) {
    if (this.#state === "waiting") this.#begin(now);
  }

  /**
   * Send a message, now or when the socket opens; messages keep their order (rules 1 and 2).
   *
   * @param {string} text May be blank only with `content`.
   * @param {number} now
   * @param {object} options
   * @param {string} options.clientId New for every message.
   * @param {number} [options.sentAt] For the transcript.
   * @param {ContentItem[]} [options.content] An answer to rich content.
   * @throws {RejectedError} conversation-ended, message-blank or message-too-long.
   */
  sendText(text, now, { clientId, sentAt, content = [] }) {
    if (this.#hasEnded) throw new RejectedError("conversation-ended");
    text = text.toWellFormed();
    if (!text.trim() && !content.length) throw new RejectedError("message-blank");
    if (utf8Length(text) > MAX_TEXT_BYTES) throw new RejectedError("message-too-long");
    const withContent = content.length ? { content } : {};
    const frame = JSON.stringify({ type: "message", text, ...withContent });
    this.#outbox.set(clientId, frame);
    this.#events.push({
      type: "message",
      from: "guest",
      text,
      ...(sentAt !== undefined && { sentAt }),
      ...withContent,
      clientId,
    });
    this.#pump(now);
  }

  /**
   * Tell that the guest is typing, when the provider understands it and at most every 3 s.
   *
   * @param {number} now
   */
  type(now) {
    if (this.#state !== "connected" || this.#hasEnded || !this.#understands("typing")) return;
    if (now - this.#typedAt < TYPING_EVERY_S) return;
    this.#typedAt = now;
    this.#effects.push({ type: "send-frame", text: '{"type":"typing"}' });
  }

  /**
   * End the conversation, after what waits; where the provider has no `end`, or nothing has begun, just stop. It is
   * said again after a drop until the provider has taken it. Does nothing after an end.
   *
   * @param {number} now
   */
  end(now) {
    if (this.#hasEnded) return;
    const hasBegun = ["connected", "connecting", "checking", "waiting"].includes(this.#state);
    if (!hasBegun || !this.#understands("end")) {
      this.stop();
    } else {
      this.#wantsEnd = true;
      this.#pump(now);
    }
  }

  /** Go away without ending anything. */
  stop() {
    this.#move("stop");
    this.#effects.push({ type: "close-socket", code: 1000 });
  }

  // --- what the shell tells

  authenticated() {
    this.#move("authenticated");
    this.#effects.push({ type: "create-session" });
  }

  /**
   * @param {Session} session
   * @param {number} now
   */
  sessionCreated(session, now) {
    this.#move("session-created");
    this.#session = session;
    this.#expiresAt = session.expiresIn === undefined ? undefined : now + session.expiresIn;
    this.#effects.push({ type: "open-socket", session });
  }

  /**
   * The socket is open: what waits is flushed, in order.
   *
   * @param {number} now
   */
  opened(now) {
    this.#move("opened");
    this.#openedAt = now;
    this.#hintS = 0;
    this.#lastSent = undefined;
    this.#saidEnd = false;
    this.#written.clear();
    this.#pump(now);
  }

  /**
   * A message was written to the socket.
   *
   * @param {string} clientId
   */
  sent(clientId) {
    this.#written.delete(clientId);
    if (!this.#outbox.delete(clientId)) return;
    this.#lastSent = clientId;
    this.#events.push({ type: "receipt", clientId, status: "sent" });
  }

  /**
   * One text frame came; anything unknown becomes an `unknown` event and ends nothing.
   *
   * @param {string} text
   * @param {number} now
   */
  frameReceived(text, now) {
    const { frame, event } = decodeFrame(text);
    // A hint holds only for the close that follows it at once.
    this.#hintS = frame?.type === "move" || frame?.type === "error" ? (frame.retryAfter ?? 0) : 0;
    if (!event) return;
    this.#events.push(event);
    if (event.type !== "conversation-update" || event.status !== "ended") return;
    this.#noteEnd();
    this.#closeAt = now + CLOSED_AFTER_END_S;
  }

  /**
   * The socket closed; the table of close codes says what follows.
   *
   * A close before `opened` explains nothing to a browser, which can't see the 403 of a refused upgrade: the core then
   * asks with `check-session` (rule 5). A close after we stopped changes nothing.
   *
   * @param {number} code
   * @param {number} now
   */
  closed(code, now) {
    if (this.#state === "connecting" && this.#session) {
      this.#move("unexplained");
      this.#effects.push({ type: "check-session", session: this.#session });
    }
    if (this.#state !== "connected") return;
    // A provider that answers `end` with nothing but a normal close has taken it.
    const isEnd = this.#hasEnded || (this.#saidEnd && code === 1000);
    const rule = CLOSE_CODES[isEnd ? 4499 : code] ?? CLOSE_CODES[1006];
    this.#wantsEnd ||= this.#saidEnd;
    if (this.#openedAt !== undefined && now - this.#openedAt >= HEALTHY_AFTER_S) {
      this.#attempt = 0;
      this.#hasRenewed = false;
    }
    this.#openedAt = undefined;
    if (rule.code === "frame-too-big") this.#dropTooBig();
    const error = { code: rule.code };
    switch (rule.action) {
      case "stop-ended":
        if (!this.#hasEnded) {
          this.#events.push({ type: "conversation-update", status: "ended" });
          this.#noteEnd();
        }
        this.#endForGood();
        break;
      case "stop":
        this.#move("failed", error);
        break;
      case "new-session":
        this.#renew(error);
        break;
      default:
        this.#wait(now, error, { hintS: this.#hintS });
    }
  }

  /**
   * The session is good: it was the network.
   *
   * @param {number} now
   */
  stillValid(now) {
    this.#wait(now, { code: "connection-lost" }, { input: "still-valid" });
  }

  /**
   * What the last effect asked for failed; the code's `retry` in the table decides what follows.
   *
   * @param {StatusError} error
   * @param {number} now
   * @throws {RejectedError} local-protocol: the socket is open; its end is told by `closed`.
   */
  attemptFailed(error, now) {
    if (this.#state === "connected") throw new RejectedError("local-protocol", "Got attemptFailed for an open socket.");
    const retry = ERRORS[error.code];
    if (retry === "later") {
      this.#wait(now, error, { hintS: error.retryAfter });
    } else if (retry === "new-session" && (this.#state === "connecting" || this.#state === "checking")) {
      this.#renew(error);
    } else {
      this.#move("failed", error);
    }
  }

  /**
   * The time is past `nextDeadline()`.
   *
   * @param {number} now
   */
  timerDue(now) {
    const deadline = this.nextDeadline();
    if (deadline === undefined || now < deadline) return;
    if (this.#retryAt !== undefined) {
      this.#begin(now);
    } else if (this.#pumpAt !== undefined) {
      this.#pump(now);
    } else {
      this.#endForGood();
      this.#effects.push({ type: "close-socket", code: 1000 });
    }
  }

  // --- inside

  /**
   * Write what waits, in order and no faster than a provider takes it; `end` comes last.
   *
   * @param {number} now
   */
  #pump(now) {
    this.#pumpAt = undefined;
    if (this.#state !== "connected") return;
    for (const [clientId, text] of this.#outbox) {
      if (this.#written.has(clientId)) continue;
      const waitS = this.#bucket.take(now);
      if (waitS > 0) {
        this.#pumpAt = now + waitS;
        return;
      }
      this.#written.add(clientId);
      this.#effects.push({ type: "send-frame", text, clientId });
    }
    if (!this.#wantsEnd) return;
    this.#wantsEnd = false;
    this.#saidEnd = true;
    this.#effects.push({ type: "send-frame", text: '{"type":"end"}' });
  }

  /** @param {number} now */
  #begin(now) {
    const isValid = this.#expiresAt === undefined || now < this.#expiresAt;
    if (this.#session && isValid) {
      this.#move("resume");
      this.#effects.push({ type: "open-socket", session: this.#session });
    } else {
      this.#move("start");
      this.#forgetSession();
      this.#effects.push({ type: "authenticate" });
    }
  }

  /**
   * Make a new session, once; the second refusal in a row is final (rule 5). A guest who wanted to end has nothing to
   * end any more: a new session would only be closed again.
   *
   * @param {StatusError} error
   */
  #renew(error) {
    this.#forgetSession();
    if (this.#wantsEnd) {
      this.#events.push({ type: "conversation-update", status: "ended" });
      this.#noteEnd();
      this.#failWaiting();
      this.#move("stop");
      return;
    }
    if (this.#hasRenewed) {
      this.#move("failed", error);
      return;
    }
    this.#hasRenewed = true;
    this.#move("refused", error);
    this.#effects.push({ type: "authenticate" });
  }

  /**
   * @param {number} now
   * @param {StatusError} error
   * @param {{ input?: string, hintS?: number }} [options] `hintS`: what the other side asked to wait at least.
   */
  #wait(now, error, { input = "lost", hintS = 0 } = {}) {
    const delayS = Math.max(this.#delayS(this.#attempt), Math.min(hintS, LONGEST_HINT_S));
    this.#move(input, error, delayS);
    this.#attempt += 1;
    this.#retryAt = now + delayS;
  }

  #forgetSession() {
    this.#session = this.#expiresAt = undefined;
  }

  /** Drop what this connection wrote last: when nothing was written whole, that is what waits first. */
  #dropTooBig() {
    const clientId = this.#lastSent ?? this.#outbox.keys().next().value;
    if (clientId === undefined) return;
    this.#outbox.delete(clientId);
    this.#events.push({ type: "receipt", clientId, status: "failed", code: "frame-too-big" });
  }

  #noteEnd() {
    this.#hasEnded = true;
    this.#wantsEnd = this.#saidEnd = false;
    this.#pumpAt = undefined;
    // What the shell was told to write may be on its way: it is sent, or fails with the connection.
    this.#failWaiting((clientId) => !this.#written.has(clientId));
  }

  /** @param {(clientId: string) => boolean} [isMeant] */
  #failWaiting(isMeant = () => true) {
    for (const clientId of [...this.#outbox.keys()].filter(isMeant)) {
      this.#outbox.delete(clientId);
      this.#events.push({ type: "receipt", clientId, status: "failed", code: "conversation-ended" });
    }
  }

  #endForGood() {
    this.#failWaiting();
    this.#forgetSession();
    this.#move("ended");
  }

  /** @param {string} extension */
  #understands(extension) {
    return this.#session?.extensions.includes(extension) ?? false;
  }

  /**
   * @param {string} input
   * @param {StatusError} [error]
   * @param {number} [retryIn] Seconds.
   */
  #move(input, error, retryIn) {
    const next = STATES[this.#state][input];
    if (!next) throw new RejectedError("local-protocol", `Got ${input} while ${this.#state}.`);
    const before = this.status;
    this.#state = next;
    this.#retryAt = this.#pumpAt = this.#closeAt = undefined;
    if (this.status === before && !error) return;
    this.#events.push({
      type: "status",
      status: this.status,
      ...(error && { error }),
      ...(retryIn !== undefined && { retryIn }),
    });
  }
}
