/**
 * Client core of the guest-session protocol, from nothing to a live chat and back again: the browser's copy of
 * `guestwire.protocols.guest_session.client`, on the same tables, held to it by tests/frames/guest-session/connection.json.
 *
 * Theory of operation. The shell tells the core what happened (`start`, `authenticated`, `sessionCreated`, `opened`,
 * `frameReceived`, `closed`, `attemptFailed`, `timerDue`, …) and what the guest wants (`sendText`, `type`, `end`,
 * `stop`). After every such call it takes `effects()` and does them in order, then `events()` and shows them, then waits
 * until `nextDeadline()` or the next thing happens. The core has no clock, no randomness and no I/O; times are the
 * shell's monotonic seconds.
 *
 * Relay mode: a session whose `extensions` name "hello" (guest-session §6) is connected when its `RelayLink` has caught
 * up, and a message waits until the gateway has accepted it. Before the gateway asks us to move, a second socket, the
 * spare, catches up beside the first and then takes its place.
 */

/** @import { ChatEvent, ConnectionStatus, ContentItem, Session, StatusError, Unsent } from "./types.js" */
/** @import { Effect } from "./effects.js" */
/** @import { Outcome, Seen } from "./relay.js" */

import { decodeFrame, MAX_TEXT_BYTES, utf8Length } from "./decode.js";
import { RejectedError } from "./effects.js";
import { Outbox } from "./outbox.js";
import { Position, RelayLink } from "./relay.js";
import { CLOSE_CODES, ERRORS, STATES, STATUS_OF } from "./tables.js";

/** A connection that lived this long was healthy: back-off and the one new session are granted afresh. */
const HEALTHY_AFTER_S = 30;

/** A provider that has not closed this long after `ended` is not going to; we close then. */
const CLOSED_AFTER_END_S = 5;

/** The longest wait that a peer can ask for; a chat that is silent for longer looks dead. */
const LONGEST_HINT_S = 300;

/** At most one `typing` frame in this time (guest-session §4.2 [D]). */
const TYPING_EVERY_S = 3;

/** A relay that is busy and does not say for how long is given this time. */
const REFUSED_FOR_S = 5;

const START_NEW = '{"type":"start-new"}';

export class GuestSessionClient {
  /** @type {Effect[]} */
  #effects = [];
  /** @type {ChatEvent[]} */
  #events = [];
  #state = "idle";
  #outbox;
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
  #position = new Position();
  /** @type {RelayLink | undefined} */
  #link;
  /** What the log says last of the conversation. */
  #isOver = false;
  /** Whether the guest wants a new conversation in the session whose conversation has ended. */
  #wantsNew = false;
  /** Whether this connection has said so, and was not refused for now. */
  #saidNew = false;
  /** The second connection, from the time it is being opened. @type {{ link?: RelayLink } | undefined} */
  #spare;
  /** @type {number | undefined} */
  #moveAt;
  #tab;
  #maxTextBytes = MAX_TEXT_BYTES;
  /** @type {(attempt: number) => number} */
  #delayS;

  /**
   * @param {object} options
   * @param {(attempt: number) => number} options.delayS Seconds to wait before attempt n of a series (0, 1, 2 …); the
   *   randomness of the back-off is here.
   * @param {Session} [options.session] To be used instead of creating one.
   * @param {string} [options.tab] An id of this page, for relay mode.
   * @param {Seen} [options.seen] How much of the session the guest has seen before.
   * @param {Unsent[]} [options.unsent] What was not accepted before; it is shown by `start` and sent again.
   */
  constructor({ delayS, session, tab = "", seen, unsent = [] }) {
    this.#delayS = delayS;
    this.#session = session;
    this.#tab = tab;
    if (seen) this.#position.seen = seen;
    this.#outbox = new Outbox({ effects: this.#effects, events: this.#events, isRelay: () => this.#isRelay, unsent });
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

  /** The longest text that can be sent, in UTF-8 bytes. */
  get maxTextBytes() {
    return this.#maxTextBytes;
  }

  /** Whether the conversation has ended, and a new one may begin in the same session. */
  get canStartNew() {
    return this.#isRelay && (this.#hasEnded || this.#wantsNew);
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
    const times = [this.#pumpAt, this.#closeAt, this.#moveAt, this.#link?.deadline, this.#spare?.link?.deadline];
    const next = this.#retryAt ?? Math.min(...times.filter((time) => time !== undefined));
    return next === Infinity ? undefined : next;
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
      if (!this.#wantsNew) this.#forgetSession();
      if (this.#state === "connected") {
        this.#outbox.failAll();
        this.stop();
      }
    }
    const isFirst = this.#state === "idle";
    this.#begin(now);
    this.#hasEnded = this.#wantsEnd = this.#hasRenewed = false;
    this.#attempt = 0;
    if (isFirst) this.#outbox.showAll();
  }

  /**
   * Begin anew after an end: in relay mode in the same session, or in another one when the gateway has no way to do that.
   *
   * @param {number} now
   */
  startNew(now) {
    const isUnderWay = this.#wantsNew && this.#state !== "closed" && this.#state !== "failed";
    if (isUnderWay) return;
    this.#wantsNew = this.canStartNew;
    if (this.#wantsNew && this.#link?.isLive) {
      this.#hasEnded = this.#saidNew = false;
      this.#pump(now);
    } else {
      this.start(now);
    }
  }

  /**
   * Don't wait for the back-off: the guest asked, or the network came back. A connection that seems to live is asked, where
   * it can be.
   *
   * @param {number} now
   */
  retryNow(now) {
    if (this.#state === "waiting") this.#begin(now);
    this.#link?.probe(now);
  }

  /**
   * Send a message, now or when the socket opens; messages keep their order (rules 1 and 2).
   *
   * @param {string} text May be blank only with `content`.
   * @param {number} now
   * @param {object} options
   * @param {string} options.clientId New for every message.
   * @param {number} [options.sentAt] For the transcript.
   * @param {ContentItem[]} [options.content] Files, or an answer to rich content.
   * @param {string} [options.inReplyTo] What it answers.
   * @throws {RejectedError} conversation-ended, message-blank or message-too-long.
   */
  sendText(text, now, { clientId, sentAt, content = [], inReplyTo }) {
    if (this.#hasEnded) throw new RejectedError("conversation-ended");
    text = text.toWellFormed();
    if (!text.trim() && !content.length) throw new RejectedError("message-blank");
    if (utf8Length(text) > this.#maxTextBytes) throw new RejectedError("message-too-long");
    this.#outbox.keep({
      clientId,
      text,
      ...(content.length && { content }),
      ...(inReplyTo !== undefined && { inReplyTo }),
      ...(sentAt !== undefined && { sentAt }),
    });
    this.#outbox.show(clientId);
    this.#pump(now);
  }

  /**
   * Give up a message that was not accepted: the guest has taken it back, or sends it anew.
   *
   * @param {string} clientId
   */
  discard(clientId) {
    this.#outbox.settle(clientId);
  }

  /**
   * The guest has read everything that was shown.
   *
   * @param {number} now
   */
  read(now) {
    this.#link?.read(now);
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
   * Ask for what is only worth asking at once: to keep the session alive, or to forget the conversation.
   *
   * @param {"stay" | "clear"} what
   * @throws {RejectedError} local-protocol: not connected, or the provider can't.
   */
  ask(what) {
    if (this.#state !== "connected" || !this.#understands(what)) throw new RejectedError("local-protocol");
    this.#effects.push({ type: "send-frame", text: JSON.stringify({ type: what }) });
  }

  /**
   * End the conversation, after what waits; where the provider has no `end`, or nothing has begun, just stop. It is
   * said again after a drop or a refusal for now until the provider has taken it. Does nothing after an end.
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
   * @param {object} [options]
   * @param {number} [options.staleBefore] What the guest wrote before this, as `sentAt` says, is not said by itself in
   *   another conversation: the guest decides.
   */
  sessionCreated(session, now, { staleBefore = -Infinity } = {}) {
    this.#move("session-created");
    this.#adopt(session, now);
    this.#outbox.takeAlong(staleBefore);
    this.#effects.push({ type: "open-socket", session });
  }

  /**
   * The socket is open: what waits is flushed, in order. In relay mode it has to say `hello` and catch up first.
   *
   * @param {number} now
   * @param {boolean} [isSpare]
   */
  opened(now, isSpare = false) {
    if (!this.#session || !this.#isRelay) {
      this.#move("opened");
      this.#established(now);
      return;
    }
    if (isSpare && !this.#spare) return;
    const link = new RelayLink(this.#position, this.#session, now);
    if (isSpare) this.#spare = { link };
    else this.#link = link;
    this.#effects.push({ type: "send-frame", text: link.hello(this.#tab), ...(isSpare && { isSpare }) });
    // Right behind it: once it has said all of a chat that has ended, the gateway closes.
    if (this.#wantsNew && !isSpare) this.#sayNew();
  }

  /**
   * A message was written to the socket.
   *
   * @param {string} clientId
   */
  sent(clientId) {
    // A relay answers with a receipt; until then it may be lost.
    if (!this.#isRelay) this.#outbox.sent(clientId);
  }

  /**
   * One text frame came; anything unknown becomes an `unknown` event and ends nothing.
   *
   * @param {string} text
   * @param {number} now
   * @param {boolean} [isSpare]
   */
  frameReceived(text, now, isSpare = false) {
    const decoded = decodeFrame(text);
    const { frame, event } = decoded;
    // A hint holds only for the close that follows it at once.
    if (!isSpare) this.#hintS = frame?.type === "move" || frame?.type === "error" ? (frame.retryAfter ?? 0) : 0;
    const link = isSpare ? this.#spare?.link : this.#link;
    if (link) {
      if (frame?.type === "move" && !isSpare) this.#moveAt = now + this.#hintS;
      this.#follow(link.frameReceived(decoded, now), now, isSpare);
      if (frame?.type !== "pong" || link !== this.#link) return;
      // What has no answer by now may have been overheard; it is harmless to say it again.
      this.#outbox.unwrite();
      this.#pump(now);
    } else if (event) {
      this.#events.push(event);
      if (event.type === "conversation-update" && event.status === "ended") this.#endSoon(now);
    }
  }

  /**
   * The socket closed; the table of close codes says what follows.
   *
   * A close before `opened` explains nothing to a browser, which can't see the 403 of a refused upgrade: the core then
   * asks with `check-session` (rule 5). A close after we stopped changes nothing.
   *
   * @param {number} code
   * @param {number} now
   * @param {boolean} [isSpare]
   */
  closed(code, now, isSpare = false) {
    if (isSpare) {
      this.#spare = undefined;
      return;
    }
    if (this.#state === "connecting" && this.#session && !this.#link) {
      this.#move("unexplained");
      this.#effects.push({ type: "check-session", session: this.#session });
    }
    if (this.#state !== "connected" && !this.#link) return;
    if (this.#link && !this.#link.isLive) this.#position.noteFailure(now);
    // A provider that answers `end` with nothing but a normal close has taken it.
    const isEnd = this.#hasEnded || (this.#saidEnd && code === 1000);
    const rule = CLOSE_CODES[isEnd ? 4499 : code] ?? CLOSE_CODES[1006];
    this.#wantsEnd ||= this.#saidEnd;
    if (this.#openedAt !== undefined && now - this.#openedAt >= HEALTHY_AFTER_S) {
      this.#attempt = 0;
      this.#hasRenewed = false;
    }
    this.#openedAt = undefined;
    if (this.#wantsNew && (code === 1000 || code === 4499)) {
      this.#startElsewhere();
      return;
    }
    if (rule.code === "frame-too-big") this.#outbox.dropTooBig();
    if (rule.code === "position-lost") this.#position.forget();
    if (rule.code === "moved" && this.#spare) {
      this.#swap();
      return;
    }
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
    } else if (isDue(this.#closeAt, now)) {
      this.#endForGood();
      this.#effects.push({ type: "close-socket", code: 1000 });
    } else {
      if (isDue(this.#pumpAt, now)) this.#pump(now);
      if (isDue(this.#moveAt, now)) this.#openSpare();
      this.#tend(now);
    }
  }

  // --- inside

  /**
   * Write what waits, in order and no faster than a provider takes it; `end` comes last.
   *
   * @param {number} now
   */
  #pump(now) {
    // A refusal for the rate holds everything back until its time is over.
    if (this.#pumpAt !== undefined && now < this.#pumpAt) return;
    this.#pumpAt = undefined;
    if (this.#state !== "connected" || this.#link?.isLive === false || (this.#isRelay && !this.#link)) return;
    if (this.#wantsNew && !this.#saidNew) this.#sayNew();
    const waitS = this.#outbox.flush(now, this.#isRelay || this.#understands("echo"));
    if (waitS > 0) {
      this.#pumpAt = now + waitS;
      return;
    }
    if (!this.#wantsEnd) return;
    this.#wantsEnd = false;
    this.#saidEnd = true;
    this.#effects.push({ type: "send-frame", text: '{"type":"end"}' });
  }

  #sayNew() {
    this.#saidNew = true;
    this.#effects.push({ type: "send-frame", text: START_NEW });
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
      this.#outbox.failAll();
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
    if (this.#session && this.#isRelay) this.#effects.push({ type: "forget-session", token: this.#session.token });
    this.#session = this.#expiresAt = undefined;
  }

  /**
   * @param {Session} session
   * @param {number} now
   */
  #adopt(session, now) {
    if (session.sessionId !== this.#session?.sessionId) this.#isOver = false;
    this.#session = session;
    // A relay prolongs the session while somebody is connected, and a close tells when it is over.
    const isTimed = session.expiresIn !== undefined && !this.#isRelay;
    this.#expiresAt = isTimed ? now + /** @type {number} */ (session.expiresIn) : undefined;
    if (this.#isRelay) this.#effects.push({ type: "remember-session", session });
  }

  /**
   * A connection begins its work.
   *
   * @param {number} now
   */
  #established(now) {
    this.#openedAt ??= now;
    this.#hintS = 0;
    this.#saidEnd = false;
    this.#outbox.begin();
    this.#pump(now);
  }

  #noteEnd() {
    this.#hasEnded = true;
    this.#wantsEnd = this.#saidEnd = false;
    this.#pumpAt = undefined;
    // What the shell was told to write may be on its way: it is sent, or fails with the connection. A relay's log tells all.
    this.#outbox.failAll((clientId) => this.#isRelay || !this.#outbox.isWritten(clientId));
  }

  #endForGood() {
    this.#outbox.failAll();
    // A relay keeps it to be read, and to begin anew in it.
    if (!this.#isRelay) this.#forgetSession();
    this.#move(this.#state === "connected" ? "ended" : "stop");
  }

  /** The gateway has no new conversation for this session. */
  #startElsewhere() {
    this.#wantsNew = false;
    this.#forgetSession();
    this.#move("refused");
    this.#effects.push({ type: "close-socket", code: 1000 }, { type: "authenticate" });
  }

  /** @param {number} now */
  #endSoon(now) {
    this.#noteEnd();
    // A relay waits for a new beginning, in this tab or another.
    if (!this.#isRelay) this.#closeAt = now + CLOSED_AFTER_END_S;
  }

  // --- relay mode

  get #isRelay() {
    return this.#understands("hello");
  }

  /**
   * Do what a link's frame led to.
   *
   * @param {Outcome} outcome
   * @param {number} now
   * @param {boolean} isSpare
   */
  #follow({ events = [], token, maxTextBytes, isSynced, isGap }, now, isSpare) {
    if (Number.isInteger(maxTextBytes)) this.#maxTextBytes = /** @type {number} */ (maxTextBytes);
    if (isGap) {
      this.#position.noteGap();
      if (isSpare) this.#closeSpare();
      else this.#drop({ code: "position-lost" }, now);
      return;
    }
    if (token && this.#session) this.#adopt({ ...this.#session, token }, now);
    for (const event of events) this.#takeRecord(event, now);
    if (events[0]?.type === "reset") this.#outbox.showAll();
    if (isSynced && isSpare) this.#swap();
    if (isSynced && this.#state === "connecting") this.#move("opened");
    // An end in the middle of the log is followed by a new beginning.
    if (this.#isOver && !this.#hasEnded && !this.#wantsNew && this.#link?.isLive) this.#endSoon(now);
    if (isSynced) this.#established(now);
  }

  /**
   * Pass an event on; what it says about a message that waits is done here.
   *
   * @param {ChatEvent} event
   * @param {number} now
   */
  #takeRecord(event, now) {
    if (event.type === "error") {
      if (this.#wantsNew && event.code === "conversation-ended" && event.clientId === undefined) {
        this.#startElsewhere();
        return;
      }
      // Another tab was first.
      if (event.code === "local-protocol") {
        this.#wantsNew = false;
        return;
      }
      if (event.retryAfter !== undefined || ERRORS[event.code] === "later") {
        this.#outbox.unwrite();
        this.#pumpAt = now + (event.retryAfter ?? REFUSED_FOR_S);
        // It was no message: it may have been one of these.
        if (event.clientId === undefined) {
          this.#wantsEnd ||= this.#saidEnd;
          this.#saidEnd = this.#saidNew = false;
        }
      } else if (this.#wantsNew && event.code === "conversation-ended") {
        // It goes to the new conversation, which has yet to begin.
        this.#outbox.unwrite(event.clientId);
        return;
      } else if (event.clientId !== undefined && this.#outbox.has(event.clientId)) {
        this.#outbox.fail(event.clientId, event.code);
        return;
      }
    }
    for (const inner of event.type === "reset" ? event.events : [event]) this.#learn(inner);
    this.#events.push(event);
  }

  /** @param {ChatEvent} event */
  #learn(event) {
    if (event.type === "receipt" || (event.type === "message" && event.from === "guest" && event.clientId)) {
      this.#outbox.settle(/** @type {string} */ (event.clientId));
    }
    if (event.type !== "conversation-update" || !event.status) return;
    this.#isOver = event.status === "ended";
    if (!this.#isOver) this.#wantsNew = this.#hasEnded = false;
  }

  /**
   * Pings and acks are due, or a connection has not answered.
   *
   * @param {number} now
   */
  #tend(now) {
    if (this.#spare?.link && !this.#spare.link.timerDue(now)) this.#closeSpare();
    const frames = this.#link ? this.#link.timerDue(now) : [];
    if (!frames) {
      if (!this.#link?.isLive) this.#position.noteFailure(now);
      this.#drop({ code: "connection-lost" }, now);
      return;
    }
    for (const frame of frames) this.#effects.push({ type: "send-frame", text: JSON.stringify(frame) });
    const { sessionId, epoch, seq } = this.#position;
    if (frames.length && sessionId && epoch) this.#effects.push({ type: "remember-seen", sessionId, seen: { epoch, seq } });
  }

  /**
   * Close a connection that is no good, and open another.
   *
   * @param {StatusError} error
   * @param {number} now
   */
  #drop(error, now) {
    this.#wantsEnd ||= this.#saidEnd;
    this.#effects.push({ type: "close-socket", code: 1000 });
    this.#wait(now, error);
  }

  #openSpare() {
    this.#moveAt = undefined;
    if (!this.#session || this.#hasEnded || this.#spare) return;
    this.#spare = {};
    this.#effects.push({ type: "open-spare", session: this.#session });
  }

  #closeSpare() {
    this.#spare = undefined;
    this.#effects.push({ type: "close-spare" });
  }

  /** The spare becomes the connection. */
  #swap() {
    this.#wantsEnd ||= this.#saidEnd;
    this.#saidNew = false;
    this.#link = this.#spare?.link;
    this.#spare = undefined;
    this.#effects.push({ type: "swap-sockets" });
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
    this.#retryAt = this.#closeAt = undefined;
    if (next !== "connected") {
      this.#link = this.#moveAt = this.#pumpAt = undefined;
      if (this.#spare) this.#closeSpare();
    }
    if (this.status === before && !error) return;
    this.#events.push({
      type: "status",
      status: this.status,
      ...(error && { error }),
      ...(retryIn !== undefined && { retryIn }),
    });
  }
}

/**
 * @param {number | undefined} deadline
 * @param {number} now
 */
function isDue(deadline, now) {
  return deadline !== undefined && now >= deadline;
}
