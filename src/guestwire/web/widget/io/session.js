/** The shell that runs the connection core: tell it what happened, do its effects, hand out its events, repeat. */

/** @import { Effect, PlainEffect } from "../core/effects.js" */
/** @import { ChatEvent, ContentItem, Guest, Session, StatusError } from "../core/types.js" */
/** @import { Clock } from "./clock.js" */
/** @import { Memory } from "./storage.js" */
/** @import { Socket } from "./socket.js" */

/** @typedef {Extract<PlainEffect, { type: "send-frame" }>} SendFrame */

import { GuestSessionClient } from "../core/connection.js";
import { decodeFrame } from "../core/decode.js";
import { backOffS } from "./clock.js";
import { checkSession, createSession, RequestError } from "./http.js";
import { openSocket } from "./socket.js";

/** What has waited for longer is not said in a new session before the guest has looked at it. */
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;

/** As long as the core heeds a hint. */
const LONGEST_HINT_S = 300;

export class ChatSession {
  #core;
  #gateway;
  #guest;
  #clock;
  #memory;
  #onEvent;
  /** @type {Socket | undefined} */
  #socket;
  /** @type {Socket | undefined} */
  #spare;
  /** @type {number | undefined} */
  #timer;
  #isPumping = false;
  /** Whether the network went away below an open socket. */
  #isCut = false;
  /** Frames that wait for the network, since that socket would take them and lose them. @type {SendFrame[]} */
  #held = [];
  #lastFrame = "";
  /** Until when the other side asked us not to try again, on the clock. */
  #hintUntil = 0;
  /** Names the session that is being made, until it is; so that a lost answer makes no second one. @type {string | undefined} */
  #creationKey;
  /** Stops what is under way when the core gives up on it. */
  #attempt = new AbortController();

  /**
   * @param {object} options
   * @param {string} options.gateway Base URL of the gateway, ends with "/".
   * @param {Guest} options.guest
   * @param {Clock} options.clock
   * @param {Memory} options.memory What it remembers of the guest; the session goes on from there.
   * @param {(event: ChatEvent) => void} options.onEvent Called for every event, in order.
   */
  constructor({ gateway, guest, clock, memory, onEvent }) {
    this.#gateway = gateway;
    this.#guest = guest;
    this.#clock = clock;
    this.#memory = memory;
    this.#onEvent = onEvent;
    const { session, unsent } = memory;
    this.#core = new GuestSessionClient({
      delayS: backOffS,
      tab: randomId(),
      session,
      seen: session && memory.seenOf(session),
      unsent,
    });
  }

  /** Whether the conversation has ended, and a new one may begin in the same session. */
  get canStartNew() {
    return this.#core.canStartNew;
  }

  /** @returns {Session | undefined} */
  get session() {
    return this.#core.session;
  }

  /** The longest text that can be sent, in UTF-8 bytes. */
  get maxTextBytes() {
    return this.#core.maxTextBytes;
  }

  /** Begin, or begin again after a failure or an end. */
  start() {
    this.#tell((core, now) => core.start(now));
  }

  /** Begin anew after an end. */
  startNew() {
    this.#tell((core, now) => core.startNew(now));
  }

  /** Don't wait for the back-off: the guest asked. */
  retryNow() {
    this.#tell((core, now) => core.retryNow(now));
  }

  /** The page came back to life: don't wait for the back-off either, unless the other side asked us to. */
  wake() {
    if (this.#clock.now() >= this.#hintUntil) this.retryNow();
  }

  /**
   * The network went away or came back. What was open before is not to be trusted after.
   *
   * @param {boolean} isOnline
   */
  setOnline(isOnline) {
    if (!isOnline) {
      this.#isCut = this.#core.state === "connected";
    } else if (this.#isCut) {
      this.#dropSocket(1000);
      this.#tell((core, now) => core.closed(1006, now));
    }
  }

  /**
   * @param {string} text
   * @param {ContentItem[]} [content]
   * @param {string} [inReplyTo]
   * @returns {string} The message's client id.
   * @throws {RejectedError} Nothing was sent or queued.
   */
  send(text, content, inReplyTo) {
    const clientId = randomId();
    this.#tell((core, now) => core.sendText(text, now, { clientId, sentAt: this.#clock.today(), content, inReplyTo }));
    return clientId;
  }

  /**
   * @param {"stay" | "clear"} what
   * @throws {RejectedError} It can't be done now.
   */
  ask(what) {
    this.#tell((core) => core.ask(what));
  }

  /** Tell that the guest is typing; how often that is passed on is not the caller's business. */
  typing() {
    this.#tell((core, now) => core.type(now));
  }

  /** The guest has read what is shown; how often that is passed on is not the caller's business. */
  read() {
    this.#tell((core, now) => core.read(now));
  }

  /**
   * The guest has taken a message back, or sends it anew: it is not shown again, nor sent.
   *
   * @param {string} clientId
   */
  discard(clientId) {
    this.#memory.replace(clientId);
    this.#tell((core) => core.discard(clientId));
  }

  /** End the conversation. */
  end() {
    this.#tell((core, now) => core.end(now));
  }

  /** Go away without ending anything; nothing happens afterwards. */
  stop() {
    this.#tell((core) => core.stop());
    this.#clock.clearTimer(this.#timer);
  }

  /** @param {(core: GuestSessionClient, now: number) => void} what */
  #tell(what) {
    what(this.#core, this.#clock.now());
    // An effect or a listener may tell the core something; the loop that is running takes it from there.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (;;) {
        const effects = this.#core.effects();
        for (const effect of effects) this.#perform(effect);
        const events = this.#core.events();
        for (const event of events) this.#onEvent(event);
        if (!effects.length && !events.length) break;
      }
    } finally {
      this.#isPumping = false;
    }
    this.#clock.clearTimer(this.#timer);
    const deadline = this.#core.nextDeadline();
    if (deadline === undefined) return;
    const delayMs = Math.max(0, (deadline - this.#clock.now()) * 1000);
    this.#timer = this.#clock.setTimer(() => this.#tell((core, now) => core.timerDue(now)), delayMs);
  }

  /** @param {Effect} effect */
  #perform(effect) {
    switch (effect.type) {
      case "authenticate":
        // The gateway keeps the secret: a browser has nothing to show.
        this.#core.authenticated();
        break;
      case "create-session":
        this.#request(
          (signal) => this.#memory.alone(() => this.#createSession(signal), signal),
          (session) => {
            const staleBefore = this.#clock.today() - STALE_AFTER_MS;
            this.#tell((core, now) => core.sessionCreated(session, now, { staleBefore }));
          },
        );
        break;
      case "check-session":
        this.#request(
          (signal) => checkSession(this.#gateway, effect.session, signal),
          () => this.#tell((core, now) => core.stillValid(now)),
        );
        break;
      case "open-socket":
        this.#open(effect.session);
        break;
      case "send-frame":
        if ("isSpare" in effect) this.#spare?.send(effect.text);
        else if (this.#isCut) this.#held.push(effect);
        else this.#write(effect);
        break;
      case "close-socket":
        this.#attempt.abort();
        this.#dropSocket(effect.code);
        this.#dropSpare();
        break;
      case "open-spare":
        this.#spare = this.#connect(effect.session);
        break;
      case "swap-sockets": {
        const spare = this.#spare;
        this.#dropSocket(1000);
        this.#socket = spare;
        this.#spare = undefined;
        break;
      }
      case "close-spare":
        this.#dropSpare();
        break;
      default:
        this.#memory.keep(effect);
    }
  }

  /** @param {SendFrame} frame */
  #write({ text, clientId }) {
    if (this.#socket?.send(text) && clientId) this.#core.sent(clientId);
  }

  /** @param {number} code */
  #dropSocket(code) {
    this.#socket?.close(code);
    this.#socket = undefined;
    this.#isCut = false;
    this.#held = [];
    this.#lastFrame = "";
  }

  #dropSpare() {
    this.#spare?.close(1000);
    this.#spare = undefined;
  }

  /** @param {string} text */
  #receive(text) {
    // What still comes through was never cut.
    this.#isCut = false;
    for (const frame of this.#held.splice(0)) this.#write(frame);
    this.#lastFrame = text;
    this.#tell((core, now) => core.frameReceived(text, now));
  }

  /** @param {number} [seconds] */
  #noteHint(seconds = 0) {
    if (seconds > 0) this.#hintUntil = this.#clock.now() + Math.min(seconds, LONGEST_HINT_S);
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<Session>} The one that another tab has made, if any.
   */
  async #createSession(signal) {
    const known = this.#memory.session;
    if (known) return known;
    this.#creationKey ??= randomId();
    const session = await createSession(this.#gateway, this.#guest, this.#creationKey, signal);
    this.#creationKey = undefined;
    this.#memory.offer(session);
    return session;
  }

  /** @param {Session} session */
  #open(session) {
    this.#dropSocket(1000);
    this.#dropSpare();
    try {
      this.#socket = this.#connect(session);
    } catch {
      this.#fail({ code: "upstream-invalid" });
    }
  }

  /**
   * @param {Session} session
   * @returns {Socket}
   */
  #connect(session) {
    const isSpare = () => socket === this.#spare;
    const socket = openSocket(session, {
      opened: () => this.#tell((core, now) => core.opened(now, isSpare())),
      frameReceived: (text) => {
        if (isSpare()) this.#tell((core, now) => core.frameReceived(text, now, true));
        else this.#receive(text);
      },
      closed: (code) => {
        if (isSpare()) {
          this.#spare = undefined;
          this.#tell((core, now) => core.closed(code, now, true));
          return;
        }
        this.#noteHint(decodeFrame(this.#lastFrame).frame?.retryAfter);
        this.#dropSocket(code);
        this.#tell((core, now) => core.closed(code, now));
      },
    });
    return socket;
  }

  /**
   * @template Answer
   * @param {(signal: AbortSignal) => Promise<Answer>} ask
   * @param {(answer: Answer) => void} take
   */
  async #request(ask, take) {
    this.#attempt.abort();
    const { signal } = (this.#attempt = new AbortController());
    let answer;
    try {
      answer = await ask(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(error instanceof RequestError ? error.error : { code: "internal" });
      return;
    }
    if (!signal.aborted) take(answer);
  }

  /** @param {StatusError} error */
  #fail(error) {
    this.#noteHint(error.retryAfter);
    this.#tell((core, now) => core.attemptFailed(error, now));
  }
}

/** @returns {string} A UUID; `crypto.randomUUID` is missing on pages that are not secure contexts. */
function randomId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/u, "$1-$2-$3-$4-");
}
