/** The shell that runs the connection core: tell it what happened, do its effects, hand out its events, repeat. */

/** @import { Effect } from "../core/connection.js" */
/** @import { ChatEvent, ContentItem, Guest, Session, StatusError } from "../core/types.js" */
/** @import { Clock } from "./clock.js" */
/** @import { Socket } from "./socket.js" */

import { GuestSessionClient } from "../core/connection.js";
import { backOffS } from "./clock.js";
import { checkSession, createSession, RequestError } from "./http.js";
import { openSocket } from "./socket.js";

export class ChatSession {
  #core = new GuestSessionClient({ delayS: backOffS });
  #gateway;
  #guest;
  #clock;
  #onEvent;
  /** @type {Socket | undefined} */
  #socket;
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
   * @param {(event: ChatEvent) => void} options.onEvent Called for every event, in order.
   */
  constructor({ gateway, guest, clock, onEvent }) {
    this.#gateway = gateway;
    this.#guest = guest;
    this.#clock = clock;
    this.#onEvent = onEvent;
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
          (signal) => createSession(this.#gateway, this.#guest, signal),
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
        if (this.#socket?.send(effect.text) && effect.clientId) this.#core.sent(effect.clientId);
        break;
      case "close-socket":
        this.#attempt.abort();
        this.#socket?.close(effect.code);
        this.#socket = undefined;
    }
  }

  /** @param {Session} session */
  #open(session) {
    this.#socket?.close(1000);
    try {
      this.#socket = openSocket(session, {
        opened: () => this.#tell((core, now) => core.opened(now)),
        frameReceived: (text) => this.#tell((core, now) => core.frameReceived(text, now)),
        closed: (code) => this.#tell((core, now) => core.closed(code, now)),
      });
    } catch {
      this.#fail({ code: "upstream-invalid" });
    }
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
