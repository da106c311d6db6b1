/**
 * The reader's side of a relaying gateway (guest-session §6): where a guest is in the session's log, and one connection
 * that catches up there and then follows.
 *
 * Theory of operation. `Position` outlives connections; a `RelayLink` is one of them, from `hello` to its close. A link
 * that resumes moves the position with every frame it passes on. One that was reset holds all frames back until `synced`
 * and then hands them out as one `reset`: the view is replaced in one step, and a reset that breaks off changes nothing.
 * Frames that were seen are dropped, so two links may feed one position while the connection moves.
 */

/** @import { ChatEvent, Reset, Session } from "./types.js" */
/** @import { Decoded } from "./decode.js" */

import { termsOf } from "./terms.js";

const PING_EVERY_S = 25;

/** The answer to `hello` or `ping`, and every next frame of a replay, comes within this time. */
const ANSWER_WITHIN_S = 10;

/** What was seen and read is said at most once in this time. */
const ACK_EVERY_S = 1;

/** So many connections that did not catch up in this time, and the next one asks for everything. */
const MOST_FAILURES = 3;
const FAILURES_WITHIN_S = 30;

/**
 * What the guest has seen before the page was loaded: up to `seq`, of the log `epoch` or whatever log it is.
 *
 * @typedef {{ epoch?: string, seq: number }} Seen
 */

export class Position {
  /** Whose log this is. @type {string | undefined} */
  sessionId;
  /** @type {string | undefined} */
  epoch;
  /** The last frame that was passed on. */
  seq = 0;
  /** The last one of them that somebody else said. */
  saidSeq = 0;
  /** @type {Seen} */
  seen = { seq: 0 };
  #gaps = 0;
  /** When connections failed to resume. @type {number[]} */
  #failures = [];

  /** The next `hello` asks for everything. */
  forget() {
    if (this.epoch !== undefined) this.seen = { epoch: this.epoch, seq: this.seq };
    this.epoch = undefined;
    this.#gaps = 0;
    this.#failures = [];
  }

  /**
   * A connection was closed before it had caught up.
   *
   * @param {number} now
   */
  noteFailure(now) {
    if (this.epoch === undefined) return;
    this.#failures = [...this.#failures.filter((time) => now - time < FAILURES_WITHIN_S), now];
    if (this.#failures.length >= MOST_FAILURES) this.forget();
  }

  /** A frame is missing: the next `hello` asks again from here, after the second time for everything. */
  noteGap() {
    this.#gaps += 1;
    if (this.#gaps > 1) this.forget();
  }

  /**
   * Begin at `seq` of the log `epoch`.
   *
   * @param {string} sessionId
   * @param {string} epoch
   * @param {number} seq
   */
  reset(sessionId, epoch, seq) {
    Object.assign(this, { sessionId, epoch, seq, saidSeq: 0 });
    this.#gaps = 0;
  }
}

/**
 * What a frame led to.
 *
 * @typedef {object} Outcome
 * @property {ChatEvent[]} [events] To be passed on.
 * @property {string} [token] The session's new one.
 * @property {number} [maxTextBytes] The longest text that is taken.
 * @property {boolean} [isSynced] From here on the frames are live.
 * @property {boolean} [isGap] Frames are missing: this connection is no good.
 */

export class RelayLink {
  #position;
  #session;
  /** Of the log that we are being reset to. @type {string | undefined} */
  #epoch;
  /** The last frame held back. @type {number | undefined} */
  #heldSeq;
  /** @type {{ seq: number, event: ChatEvent }[]} */
  #held = [];
  #isWelcome = false;
  #pingAt = Infinity;
  #answerBy;
  #ackAt = Infinity;
  #acked = 0;
  #read = 0;
  #wantsRead = 0;
  #behind = 0;
  /** Whether it has caught up. */
  isLive = false;

  /**
   * @param {Position} position
   * @param {Session} session
   * @param {number} now
   */
  constructor(position, session, now) {
    this.#position = position;
    this.#session = session;
    if (position.sessionId !== session.sessionId) position.epoch = undefined;
    this.#answerBy = now + ANSWER_WITHIN_S;
  }

  /** @param {string} tab */
  hello(tab) {
    const { sessionId, token } = this.#session;
    const { epoch = null, seq } = this.#position;
    return JSON.stringify({ type: "hello", sessionId, token, epoch, after: epoch === null ? null : seq, tab });
  }

  /**
   * @param {Decoded} decoded
   * @param {number} now
   * @returns {Outcome}
   */
  frameReceived({ frame, event, seq }, now) {
    if (!this.isLive) this.#answerBy = now + ANSWER_WITHIN_S;
    if (seq !== undefined && event) return this.#record(seq, event, now);
    switch (frame?.type) {
      case "welcome":
        if (this.#isWelcome) return {};
        this.#isWelcome = true;
        if (frame.mode === "reset") this.#epoch = frame.epoch;
        return { token: frame.token, maxTextBytes: frame.limits?.maxTextBytes };
      case "session":
        return { events: [termsOf(frame)] };
      case "synced":
        return this.#isWelcome && !this.isLive ? this.#sync(frame.seq, now) : {};
      case "pong":
        this.#answerBy = Infinity;
        this.#behind = frame.seq > this.#position.seq ? this.#behind + 1 : 0;
        return this.#behind > 1 ? { isGap: true } : {};
      default:
        // What has no place in the log can't be held for one, and is old news after a reset.
        return event && (this.#epoch === undefined || event.type === "error") ? { events: [event] } : {};
    }
  }

  /**
   * @param {number} seq
   * @param {ChatEvent} event
   * @param {number} now
   * @returns {Outcome}
   */
  #record(seq, event, now) {
    if (!this.#isWelcome) return {};
    const last = this.#epoch === undefined ? this.#position.seq : this.#heldSeq;
    if (last !== undefined && seq <= last) return {};
    if (last !== undefined && seq > last + 1) return { isGap: true };
    if (this.#epoch !== undefined) {
      this.#heldSeq = seq;
      this.#held.push({ seq, event });
      return {};
    }
    this.#behind = 0;
    this.#pass(seq, event);
    this.#ackSoon(now);
    return { events: [event] };
  }

  /**
   * @param {number} seq
   * @param {ChatEvent} event
   */
  #pass(seq, event) {
    this.#position.seq = seq;
    if (event.type === "message" && event.from !== "guest") this.#position.saidSeq = seq;
  }

  /**
   * @param {number} head
   * @param {number} now
   * @returns {Outcome}
   */
  #sync(head, now) {
    const position = this.#position;
    if ((this.#epoch === undefined ? position.seq : (this.#heldSeq ?? head)) < head) return { isGap: true };
    this.isLive = true;
    this.#answerBy = Infinity;
    this.#pingAt = now + PING_EVERY_S;
    this.#ackSoon(now);
    if (this.#epoch === undefined) return { isSynced: true };
    const { sessionId } = this.#session;
    const isNewSession = position.sessionId !== undefined && position.sessionId !== sessionId;
    position.forget();
    const { seen } = position;
    // Of another log nothing is known to be new.
    const seenSeq = isNewSession ? 0 : (seen.epoch ?? this.#epoch) === this.#epoch ? seen.seq : Infinity;
    position.reset(sessionId, this.#epoch, head);
    for (const { seq, event } of this.#held) this.#pass(seq, event);
    this.#epoch = undefined;
    /** @type {Reset} */
    const reset = { type: "reset", isNewSession, events: [] };
    /** @type {ChatEvent[]} */
    const events = [reset];
    for (const { seq, event } of this.#held.splice(0)) (seq <= seenSeq ? reset.events : events).push(event);
    return { isSynced: true, events };
  }

  /** @param {number} now */
  #ackSoon(now) {
    if (this.isLive && this.#ackAt === Infinity) this.#ackAt = now + ACK_EVERY_S;
  }

  /**
   * The guest has read what there is.
   *
   * @param {number} now
   */
  read(now) {
    this.#wantsRead = this.#position.saidSeq;
    if (this.#wantsRead > this.#read) this.#ackSoon(now);
  }

  /**
   * Ask whether this connection still lives.
   *
   * @param {number} now
   */
  probe(now) {
    if (this.isLive && this.#answerBy === Infinity) this.#pingAt = now;
  }

  /** When `timerDue` is to be called. */
  get deadline() {
    return Math.min(this.#answerBy, this.#pingAt, this.#ackAt);
  }

  /**
   * @param {number} now
   * @returns {object[] | undefined} Frames to send; undefined when the connection is dead.
   */
  timerDue(now) {
    if (now >= this.#answerBy) return undefined;
    const frames = [];
    const { seq } = this.#position;
    if (now >= this.#pingAt) {
      frames.push({ type: "ping", seq });
      this.#pingAt = now + PING_EVERY_S;
      this.#answerBy = now + ANSWER_WITHIN_S;
    }
    if (now >= this.#ackAt) {
      this.#ackAt = Infinity;
      if (seq > this.#acked) frames.push({ type: "ack", seq: (this.#acked = seq) });
      if (this.#wantsRead > this.#read) frames.push({ type: "read", seq: (this.#read = this.#wantsRead) });
    }
    return frames;
  }
}
