/**
 * Wire text to events, and the guest's commands to wire text: the browser's half of
 * `guestwire.protocols.guest_session.wire`, held to it by tests/frames/guest-session/frames.json.
 *
 * Strict about the members we know, blind to the others. What can't be decoded becomes an `unknown` event that says why;
 * it never ends a connection (guest-session §4.1 [T]).
 */

/** @import { ChatEvent, ContentItem, UnknownReason } from "./types.js" */

/** UTF-8 bytes of a message's text (guest-session §4.2 [D]). */
export const MAX_TEXT_BYTES = 4096;

/** @typedef {(value: unknown) => boolean} Check */

/** @type {Check} */
const isString = (value) => typeof value === "string";
/** @type {Check} */
const isNumber = (value) => typeof value === "number";
/** @type {Check} */
const isInteger = (value) => Number.isInteger(value);
/** @type {Check} */
const isBoolean = (value) => typeof value === "boolean";
/** @type {Check} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @type {Check} */
const isAnything = () => true;
/** @type {(...choices: string[]) => Check} */
const oneOf = (...choices) => (value) => choices.includes(/** @type {string} */ (value));
/** @type {Check} */
const isStrings = (value) => Array.isArray(value) && value.every(isString);

/** @typedef {Record<string, [Check, "?"?]>} Shape One row a member; with "?" it may be absent or null. */

/** @type {Shape} */
const BOT_MESSAGE = {
  from: [isString, "?"],
  text: [isString, "?"],
  timestamp: [isString, "?"],
  name: [isString, "?"],
  content: [isAnything, "?"],
  id: [isString, "?"],
  seq: [isInteger, "?"],
  orderKey: [isString, "?"],
  late: [isBoolean, "?"],
  avatar: [isString, "?"],
  providerId: [isString, "?"],
};

/** @type {Record<string, Shape>} */
const FRAMES = {
  message: { ...BOT_MESSAGE, clientId: [isString, "?"], inReplyTo: [isString, "?"] },
  "bot-message": BOT_MESSAGE,
  "conversation-update": {
    status: [isString, "?"],
    agentName: [isString, "?"],
    agentAvatar: [isString, "?"],
    position: [isInteger, "?"],
    estimatedWait: [isNumber, "?"],
    expiresAt: [isString, "?"],
    readOnly: [isBoolean, "?"],
    reason: [isString, "?"],
    id: [isString, "?"],
    seq: [isInteger, "?"],
  },
  typing: { from: [isString, "?"], duration: [isInteger, "?"] },
  error: { code: [isString], text: [isString, "?"], retryAfter: [isNumber, "?"], clientId: [isString, "?"] },
  receipt: {
    clientId: [isString],
    status: [oneOf("queued", "sent", "accepted", "waiting", "delivered", "read", "failed", "unconfirmed")],
    id: [isString, "?"],
    seq: [isInteger, "?"],
    messageSeq: [isInteger, "?"],
    orderKey: [isString, "?"],
    retryAfter: [isNumber, "?"],
    code: [isString, "?"],
    text: [isString, "?"],
  },
  welcome: {
    mode: [oneOf("resume", "reset")],
    epoch: [isString],
    seq: [isInteger],
    limits: [isObject, "?"],
    token: [isString, "?"],
  },
  session: {
    features: [isStrings],
    limits: [isObject],
    expiresAt: [isString, "?"],
    readOnly: [isBoolean],
    bot: [isObject, "?"],
    colour: [isString, "?"],
  },
  synced: { seq: [isInteger] },
  pong: { seq: [isInteger] },
  move: { retryAfter: [isNumber, "?"] },
};

/** Frames that only steer the connection and are no events (guest-session §6). */
const STEERING = new Set(["welcome", "session", "synced", "pong", "move"]);

/**
 * `frame` with its known members only, when it is one; `event` unless it only steers the connection; `seq` when it has a
 * place in the session's log, also when we don't understand it.
 *
 * @typedef {{ frame?: Record<string, any>, event?: ChatEvent, seq?: number }} Decoded
 */

/**
 * Decode a frame that the provider sent.
 *
 * @param {string} text
 * @returns {Decoded}
 */
export function decodeFrame(text) {
  /** @type {{ seq?: number }} */
  const place = {};
  /** @param {UnknownReason} reason @returns {Decoded} */
  const unknown = (reason) => ({ ...place, event: { type: "unknown", reason, raw: text } });
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return unknown("not-json");
  }
  if (!isObject(value)) return unknown("not-an-object");
  const { type } = value;
  if (!isString(type)) return unknown("no-type");
  if (isInteger(value.seq) && !STEERING.has(type)) place.seq = value.seq;
  if (!Object.hasOwn(FRAMES, type)) return unknown("unknown-type");
  const frame = pick(value, FRAMES[type]);
  if (!frame) return unknown("malformed");
  if (STEERING.has(type)) return { frame: { ...frame, type } };
  const event = toEvent(type, frame);
  return event ? { ...place, frame: { ...frame, type }, event } : unknown("malformed");
}

/**
 * @param {any} value
 * @param {Shape} shape
 * @returns {Record<string, any> | undefined} The members of the shape that are there; undefined when one is wrong.
 */
function pick(value, shape) {
  /** @type {Record<string, any>} */
  const picked = {};
  for (const [member, [isRight, mayMiss]] of Object.entries(shape)) {
    const given = Object.hasOwn(value, member) ? (value[member] ?? undefined) : undefined;
    // Some providers cut a text in the middle of an emoji; half of one becomes U+FFFD.
    if (given !== undefined && isRight(given)) picked[member] = typeof given === "string" ? given.toWellFormed() : given;
    else if (given !== undefined || !mayMiss) return undefined;
  }
  return picked;
}

/** @param {any} item */
function isContentItem(item) {
  return isObject(item) && isString(item.contentType) && fits(item, MAX_CONTENT_DEPTH);
}

/**
 * @param {string} type
 * @param {Record<string, any>} frame
 * @returns {ChatEvent | undefined} Undefined for a message that says nothing at all.
 */
function toEvent(type, frame) {
  switch (type) {
    case "message":
    case "bot-message": {
      const { from, text, timestamp, content, late, ...rest } = frame;
      const items = parseContent(content);
      const sentAt = parseTime(timestamp);
      if (!text && !items.length) return undefined;
      return {
        type: "message",
        from: from || (type === "message" ? "agent" : "bot"),
        text: text ?? "",
        ...(sentAt !== undefined && { sentAt }),
        ...(items.length && { content: items }),
        ...rest,
        ...(late && { late }),
      };
    }
    case "conversation-update": {
      const { status, expiresAt: expires, ...rest } = frame;
      const expiresAt = parseTime(expires);
      return {
        type,
        ...(oneOf("waiting", "connected", "ended")(status) && { status }),
        ...rest,
        ...(expiresAt !== undefined && { expiresAt }),
      };
    }
    case "typing":
      return { type, ...frame, from: frame.from || "agent" };
    case "error": {
      const { text, ...rest } = frame;
      return /** @type {ChatEvent} */ ({ type, ...rest, ...(text && { text }) });
    }
    default:
      return /** @type {ChatEvent} */ ({ type, ...frame });
  }
}

/** A carousel is 6 deep. */
const MAX_CONTENT_DEPTH = 32;

/** @type {(value: unknown, depth: number) => boolean} Whether it nests at most `depth` objects and lists. */
const fits = (value, depth) =>
  typeof value !== "object" || value === null || (depth > 0 && Object.values(value).every((inner) => fits(inner, depth - 1)));

/**
 * Anything that is not a list is no content; an element that is not an object with a string `contentType` is left out,
 * and so is one that nests too deep to be safely written again.
 *
 * @param {unknown} items
 * @returns {ContentItem[]}
 */
function parseContent(items) {
  return Array.isArray(items) ? items.filter(isContentItem) : [];
}

/** Years 1 to 9999 in UTC: what Python's calendar has. */
const FIRST_TIME = -62_135_596_800_000;
const LAST_TIME = 253_402_300_799_999;

const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d):(\d\d))?$/u;

/**
 * Return the time that `text` writes; undefined when it writes none. Without a zone it is UTC. The same pattern as
 * `guestwire.model.times`; not `Date.parse`, which takes more, and takes times without a zone as local.
 *
 * @param {string | undefined} text
 * @returns {number | undefined} Epoch milliseconds.
 */
export function parseTime(text) {
  const parts = ISO.exec(text ?? "");
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second, offsetHour, offsetMinute] = [1, 2, 3, 4, 5, 6, 9, 10].map((index) =>
    Number(parts[index] ?? 0),
  );
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDate = year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDate || hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const ms = Number((parts[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const offset = (offsetHour * 60 + offsetMinute) * (parts[8] === "-" ? -1 : 1);
  const time = date.setUTCHours(hour, minute - offset, second, ms);
  return time >= FIRST_TIME && time <= LAST_TIME ? time : undefined;
}

/**
 * @param {string} text
 * @returns {number} Its length in UTF-8 bytes; a lone surrogate counts as the three bytes it is replaced with.
 */
export function utf8Length(text) {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
