/** What the guest wrote and nobody has taken yet, in order, and how fast it may go. */

/** @import { Effect } from "./effects.js" */
/** @import { ChatEvent, Unsent } from "./types.js" */

import { TokenBucket } from "./token-bucket.js";

/** A flush is paced below what a provider takes (thirty frames in 3 s), because it drops what is over that. */
const FRAMES_PER_S = 8;
const BURST_FRAMES = 6;

export class Outbox {
  #effects;
  #events;
  #isRelay;
  /** What no open socket has taken yet, in relay mode: no log; by client id, in order. @type {Map<string, Unsent>} */
  #messages = new Map();
  /** Those of them that this socket was given. @type {Set<string>} */
  #written = new Set();
  #bucket = new TokenBucket({ rate: FRAMES_PER_S, burst: BURST_FRAMES });
  /** @type {string | undefined} */
  #lastSent;

  /**
   * @param {object} options
   * @param {Effect[]} options.effects Where to put what is to be done,
   * @param {ChatEvent[]} options.events and what has happened.
   * @param {() => boolean} options.isRelay Whether what waits is remembered until a gateway's log has it.
   * @param {Unsent[]} options.unsent What waits from before.
   */
  constructor({ effects, events, isRelay, unsent }) {
    this.#effects = effects;
    this.#events = events;
    this.#isRelay = isRelay;
    for (const message of unsent) this.#messages.set(message.clientId, message);
  }

  get size() {
    return this.#messages.size;
  }

  /** @param {string} clientId */
  has(clientId) {
    return this.#messages.has(clientId);
  }

  /** @param {string} clientId */
  isWritten(clientId) {
    return this.#written.has(clientId);
  }

  /** @param {Unsent} message */
  keep(message) {
    this.#messages.set(message.clientId, message);
    if (this.#isRelay()) this.#effects.push({ type: "remember-message", message });
  }

  /**
   * It needs to wait no longer.
   *
   * @param {string} clientId
   */
  settle(clientId) {
    this.#written.delete(clientId);
    if (this.#messages.delete(clientId) && this.#isRelay()) this.#effects.push({ type: "forget-message", clientId });
  }

  /**
   * It can't be sent. In relay mode its text is kept until the guest has decided.
   *
   * @param {string} clientId
   * @param {string} code
   */
  fail(clientId, code) {
    const message = this.#messages.get(clientId);
    if (message && this.#isRelay()) this.keep({ ...message, code });
    else this.#messages.delete(clientId);
    this.#events.push({ type: "receipt", clientId, status: "failed", code });
  }

  /** @param {(clientId: string) => boolean} [isMeant] */
  failAll(isMeant = () => true) {
    for (const clientId of [...this.#messages.keys()].filter(isMeant)) {
      this.#events.push({ type: "receipt", clientId, status: "failed", code: "conversation-ended" });
      this.settle(clientId);
    }
  }

  /**
   * Another session goes on with what waits.
   *
   * @param {number} staleBefore What is older waits for the guest's word.
   */
  takeAlong(staleBefore) {
    for (const message of [...this.#messages.values()]) {
      const isStale = !message.code && (message.sentAt ?? Infinity) < staleBefore;
      if (isStale) this.fail(message.clientId, "session-expired");
      else this.keep(message);
    }
  }

  /** @param {string} clientId */
  show(clientId) {
    const { code, ...message } = /** @type {Unsent} */ (this.#messages.get(clientId));
    this.#events.push({ type: "message", from: "guest", ...message });
    if (code) this.#events.push({ type: "receipt", clientId, status: "failed", code });
  }

  showAll() {
    for (const clientId of this.#messages.keys()) this.show(clientId);
  }

  // --- writing

  /** A connection begins its work. */
  begin() {
    this.#lastSent = undefined;
    this.unwrite();
  }

  /**
   * It may have been overheard, and is to be written again.
   *
   * @param {string} [clientId] Without one, all.
   */
  unwrite(clientId) {
    if (clientId === undefined) this.#written.clear();
    else this.#written.delete(clientId);
  }

  /**
   * Write what waits, no faster than a provider takes it.
   *
   * @param {number} now
   * @param {boolean} saysBack Whether the other side returns a message's client id.
   * @returns {number} Seconds until the rest may go; 0 when nothing is left.
   */
  flush(now, saysBack) {
    for (const [clientId, { text, content, inReplyTo, code }] of this.#messages) {
      if (code || this.#written.has(clientId)) continue;
      const waitS = this.#bucket.take(now);
      if (waitS > 0) return waitS;
      this.#written.add(clientId);
      const frame = {
        type: "message",
        text,
        ...(content && { content }),
        ...(inReplyTo !== undefined && { inReplyTo }),
        ...(saysBack && { clientId }),
      };
      this.#effects.push({ type: "send-frame", text: JSON.stringify(frame), clientId });
    }
    return 0;
  }

  /**
   * The socket has taken it, and nobody will say more of it.
   *
   * @param {string} clientId
   */
  sent(clientId) {
    this.#written.delete(clientId);
    if (!this.#messages.delete(clientId)) return;
    this.#lastSent = clientId;
    this.#events.push({ type: "receipt", clientId, status: "sent" });
  }

  /** Drop what this connection wrote last: when nothing was written whole, that is what waits first. */
  dropTooBig() {
    const [first] = [...this.#messages.values()].filter(({ code }) => !code);
    const clientId = this.#lastSent ?? first?.clientId;
    if (clientId !== undefined) this.fail(clientId, "frame-too-big");
  }
}
