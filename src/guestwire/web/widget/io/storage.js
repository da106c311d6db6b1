/**
 * What outlives the page, for one guest at one gateway: the session and what it has not accepted yet, for all tabs of this
 * browser; what was seen and what is being written, for this tab. Storage may be missing, full, forbidden or full of
 * nonsense: then this page remembers for itself, and that is no error.
 */

/** @import { Effect } from "../core/effects.js" */
/** @import { Seen } from "../core/relay.js" */
/** @import { Guest, Session, Unsent } from "../core/types.js" */

const PREFIX = "guest-chat:";

/** What no storage took. @type {Map<string, string>} */
const unstored = new Map();

/**
 * @typedef {{ session?: Session }} Shared
 *
 * @typedef {object} Outbox
 * @property {Unsent[]} [unsent]
 * @property {string[]} [replaced] Messages that the guest has taken back or sent anew.
 *
 * @typedef {{ sessionId?: string, seen?: Seen, draft?: string }} Own
 */

export class Memory {
  /** @type {Shelf<Shared>} */
  #shared;
  /** @type {Shelf<Outbox>} */
  #outbox;
  /** @type {Shelf<Own>} */
  #own;
  #key;
  /** Of a session that is over. @type {string | undefined} */
  #oldToken;

  /**
   * @param {object} options
   * @param {string} options.gateway
   * @param {Guest} options.guest Another guest must not find what this one has left.
   * @param {string} [options.place] Which chat of the page this is, where there are several.
   */
  constructor({ gateway, guest, place = "" }) {
    const key = PREFIX + JSON.stringify([gateway, guest.externalContactId ?? guest.email ?? guest.name ?? ""]);
    this.#shared = new Shelf(() => localStorage, key, isShared);
    this.#outbox = new Shelf(() => localStorage, `${key} unsent`, isOutbox);
    this.#own = new Shelf(() => sessionStorage, `${key} tab${place && ` ${place}`}`, isOwn);
    this.#key = key;
  }

  /**
   * Do something while no other tab does; where a page can't have locks, at once.
   *
   * @template Result
   * @param {() => Promise<Result>} what
   * @param {AbortSignal} [signal] Ends the wait.
   * @returns {Promise<Result>}
   */
  alone(what, signal) {
    return navigator.locks?.request(this.#key, { signal }, what) ?? what();
  }

  /**
   * A session was made. Only one that can be shared is of use to other tabs.
   *
   * @param {Session} session
   */
  offer(session) {
    if (session.extensions.includes("hello")) this.keep({ type: "remember-session", session });
  }

  /**
   * The session to go on with, until the gateway refuses it: how long that lasts nobody here knows, for the gateway
   * prolongs it while any tab is connected.
   *
   * @returns {Session | undefined}
   */
  get session() {
    const { session } = this.#shared.value;
    return session?.token === this.#oldToken ? undefined : session;
  }

  /** @returns {Unsent[]} */
  get unsent() {
    return this.#outbox.value.unsent ?? [];
  }

  /** @returns {string[]} */
  get replaced() {
    return this.#outbox.value.replaced ?? [];
  }

  /** What is written and not sent. */
  get draft() {
    return this.#own.value.draft ?? "";
  }

  set draft(draft) {
    this.#own.change({ draft: draft || undefined });
  }

  /**
   * @param {Session} session
   * @returns {Seen} Everything, in a tab that opens later.
   */
  seenOf({ sessionId }) {
    const { sessionId: known, seen } = this.#own.value;
    return known === sessionId && seen ? seen : { seq: Infinity };
  }

  /** @param {string} clientId */
  replace(clientId) {
    this.#outbox.change({ replaced: [...this.replaced, clientId] });
  }

  /** Leave the session, and what waits in it. */
  clear() {
    this.#shared.change({ session: undefined });
    this.#outbox.change({ unsent: undefined, replaced: undefined });
    this.#own.change({ sessionId: undefined, seen: undefined, draft: undefined });
  }

  /** @param {Effect} effect One that is about memory. */
  keep(effect) {
    switch (effect.type) {
      case "remember-session": {
        const { expiresIn: _, ...session } = effect.session;
        this.#shared.change({ session });
        break;
      }
      case "forget-session":
        this.#oldToken = effect.token;
        this.#own.change({ sessionId: undefined, seen: undefined });
        this.#outbox.change({ replaced: undefined });
        // A tab sees what another one writes a little later: without the lock it could take away a new session.
        void this.alone(async () => {
          if (this.#shared.value.session?.token === effect.token) this.#shared.change({ session: undefined });
        });
        break;
      case "remember-seen":
        this.#own.change({ sessionId: effect.sessionId, seen: effect.seen });
        break;
      case "remember-message":
        this.#setUnsent(effect.message.clientId, effect.message);
        break;
      case "forget-message":
        this.#setUnsent(effect.clientId);
    }
  }

  /**
   * @param {string} clientId
   * @param {Unsent} [message]
   */
  #setUnsent(clientId, message) {
    const { unsent } = this;
    const index = unsent.findIndex((other) => other.clientId === clientId);
    const place = index < 0 ? unsent.length : index;
    const left = message ? unsent.toSpliced(place, 1, message) : unsent.toSpliced(place, 1);
    this.#outbox.change({ unsent: left.length ? left : undefined });
  }
}

/**
 * One object in a storage.
 *
 * @template {object} Value
 */
class Shelf {
  #storage;
  #key;
  #isValue;

  /**
   * @param {() => Storage} storage Asked every time: even to look at it may be forbidden.
   * @param {string} key
   * @param {(value: any) => boolean} isValue
   */
  constructor(storage, key, isValue) {
    this.#storage = storage;
    this.#key = key;
    this.#isValue = isValue;
  }

  /** @returns {Value} */
  get value() {
    try {
      const value = JSON.parse(unstored.get(this.#key) ?? this.#storage().getItem(this.#key) ?? "{}");
      if (this.#isValue(value)) return value;
    } catch {
      // See above.
    }
    return /** @type {Value} */ ({});
  }

  /** @param {Partial<Value>} changes Undefined members are forgotten. */
  change(changes) {
    const text = JSON.stringify({ ...this.value, ...changes });
    try {
      if (text === "{}") this.#storage().removeItem(this.#key);
      else this.#storage().setItem(this.#key, text);
      unstored.delete(this.#key);
    } catch {
      unstored.set(this.#key, text);
    }
  }
}

/** @param {any} value */
function isShared({ session }) {
  return !session || areStrings(session.sessionId, session.token, session.webSocketUrl, ...session.extensions);
}

/** @param {any} value */
function isOutbox({ unsent = [], replaced = [] }) {
  return (
    unsent.every((/** @type {Unsent} */ { clientId, text, code = "" }) => areStrings(clientId, text, code)) &&
    areStrings(...replaced)
  );
}

/** @param {any} value */
function isOwn({ sessionId = "", seen, draft = "" }) {
  return areStrings(sessionId, draft, seen?.epoch ?? "") && Number.isInteger(seen?.seq ?? 0);
}

/** @param {unknown[]} values */
function areStrings(...values) {
  return values.every((value) => typeof value === "string");
}
