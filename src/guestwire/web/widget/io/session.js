/** The shell that runs the connection core: tell it what happened, do its effects, hand out its events, repeat. */

/** @import { Effect } from "../core/connection.js" */
/** @import { ChatEvent, ContentItem, Guest, Session, StatusError } from "../core/types.js" */
/** @import { Clock } from "./clock.js" */
/** @import { Memory } from "./storage.js" */
/** @import { Socket } from "./socket.js" */

import { GuestSessionClient } from "../core/connection.js";
import { backOffS } from "./clock.js";
import { checkSession, createSession, RequestError } from "./http.js";
import { openSocket } from "./socket.js";

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

  /** @returns {Session | undefined} */
  get session() {
    return this.#core.session;
  }

  /** Begin, or begin again after a failure or an end. */
  start() {
    this.#tell((core, now) => core.start(now));
  }

  /** Don't wait for the back-off. */
  retryNow() {
    this.#tell((core, now) => core.retryNow(now));
  }

  /**
   * @param {string} text
   * @param {ContentItem[]} [content]
   * @returns {string} The message's client id.
   * @throws {RejectedError} Nothing was sent or queued.
   */
  send(text, content) {
    const clientId = randomId();
    this.#tell((core, now) => core.sendText(text, now, { clientId, sentAt: this.#clock.today(), content }));
    return clientId;
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
          (session) => this.#tell((core, now) => core.sessionCreated(session, now)),
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
        else if (this.#socket?.send(effect.text) && effect.clientId) this.#core.sent(effect.clientId);
        break;
      case "close-socket":
        this.#attempt.abort();
        this.#close(effect.code);
        break;
      case "open-spare":
        this.#spare = this.#connect(effect.session);
        break;
      case "swap-sockets":
        this.#socket?.close(1000);
        this.#socket = this.#spare;
        this.#spare = undefined;
        break;
      case "close-spare":
        this.#spare?.close(1000);
        this.#spare = undefined;
        break;
      default:
        this.#memory.keep(effect);
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<Session>} The one that another tab has made, if any.
   */
  async #createSession(signal) {
    const known = this.#memory.session;
    if (known) return known;
    const session = await createSession(this.#gateway, this.#guest, signal);
    this.#memory.offer(session);
    return session;
  }

  /** @param {Session} session */
  #open(session) {
    this.#close(1000);
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
      frameReceived: (text) => this.#tell((core, now) => core.frameReceived(text, now, isSpare())),
      closed: (code) => this.#tell((core, now) => core.closed(code, now, isSpare())),
    });
    return socket;
  }

  /** @param {number} code */
  #close(code) {
    this.#socket?.close(code);
    this.#spare?.close(code);
    this.#socket = this.#spare = undefined;
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
