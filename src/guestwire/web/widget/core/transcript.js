/**
 * The transcript: what people read, as the fold of all events. The same fold as `guestwire.model.transcript`, held to
 * it by tests/frames/guest-session/transcripts.json.
 *
 * Values are never changed in place: a row that is the same object says the same, so a view may compare by identity.
 */

/** @import { ChatEvent, ConversationUpdated, Fate, Message, MessageRow, Receipt, Row, Transcript, TypingExpired } from "./types.js" */

/** @type {Transcript} */
export const EMPTY_TRANSCRIPT = Object.freeze({ rows: [], typing: [] });

/**
 * A fate only moves up this ladder, except that whatever was in doubt may still turn out well: a receipt that comes
 * late or twice changes nothing. Neither of `failed` and `delivered` follows the other.
 *
 * @type {Record<Fate, number>}
 */
const RANK = { queued: 0, sent: 1, accepted: 2, waiting: 3, unconfirmed: 4, failed: 5, delivered: 5, read: 6 };

/** Where the newest rows find the messages by their ids. @type {WeakMap<Row[], Map<string, number>>} */
const PLACES = new WeakMap();

/** Rows that nobody else has seen yet: they are filled in place. @type {WeakSet<Row[]>} */
const OWNED = new WeakSet();

/**
 * Fold in many events at once, in time that grows with their number only.
 *
 * @template Value
 * @param {Value} value
 * @param {ChatEvent[]} events
 * @param {(value: Value, event: ChatEvent) => Value} apply
 * @param {(value: Value) => Row[]} rowsOf Made for this; what `apply` returns may be the same ones, longer.
 * @returns {Value}
 */
export function replay(value, events, apply, rowsOf) {
  let next = value;
  for (const event of events) {
    const rows = rowsOf(next);
    OWNED.add(rows);
    next = apply(next, event);
    OWNED.delete(rows);
  }
  return next;
}

/**
 * Fold in one event. Events that don't show in a transcript return the same object.
 *
 * @param {Transcript} transcript
 * @param {ChatEvent | TypingExpired} event
 * @returns {Transcript}
 */
export function applyEvent(transcript, event) {
  switch (event.type) {
    case "message":
      return applyMessage(transcript, event);
    case "receipt":
      return applyReceipt(transcript, event);
    case "conversation-update":
      return applyUpdate(transcript, event);
    case "typing":
      return transcript.status === "ended" || transcript.typing.includes(event.from)
        ? transcript
        : { ...transcript, typing: [...transcript.typing, event.from] };
    case "typing-expired":
      return stopTyping(transcript, event.from);
    default:
      return transcript;
  }
}

/**
 * @param {Transcript} transcript
 * @param {string} from
 * @returns {Transcript}
 */
function stopTyping(transcript, from) {
  return transcript.typing.includes(from)
    ? { ...transcript, typing: transcript.typing.filter((other) => other !== from) }
    : transcript;
}

/**
 * @param {Transcript} transcript
 * @param {Message} event
 * @returns {Transcript}
 */
function applyMessage(transcript, event) {
  const calm = stopTyping(transcript, event.from);
  const index = findRow(calm.rows, event.clientId, event.id);
  const known = index < 0 ? undefined : /** @type {MessageRow} */ (calm.rows[index]);
  const row = known ? { ...known } : newRow(calm, event);
  if (event.id) row.id = event.id;
  if (event.seq) row.seq = event.seq;
  if (event.clientId) row.clientId = event.clientId;
  if (event.orderKey !== undefined) row.orderKey = event.orderKey;
  if (event.providerId) row.providerId = event.providerId;
  if (event.seq !== undefined && row.state && isAbove("accepted", row.state)) row.state = "accepted";
  return { ...calm, rows: withRow(calm.rows, known ? index : calm.rows.length, row) };
}

/**
 * @param {Transcript} transcript
 * @param {Message} event
 * @returns {MessageRow}
 */
function newRow(transcript, event) {
  /** @type {MessageRow} */
  const row = { kind: "message", from: event.from, text: event.text };
  if (event.sentAt !== undefined) row.sentAt = event.sentAt;
  if (event.content?.length) row.content = event.content;
  if (event.late) row.late = true;
  if (event.avatar) row.avatar = event.avatar;
  if (event.inReplyTo) row.inReplyTo = event.inReplyTo;
  const name = event.name ?? (event.from === "agent" ? transcript.agentName : undefined);
  if (name !== undefined) row.name = name;
  // Without a client id it was sent elsewhere, so the provider has it.
  if (event.from === "guest") row.state = event.clientId && event.seq === undefined ? "queued" : "accepted";
  return row;
}

/**
 * @param {Transcript} transcript
 * @param {Receipt} event
 * @returns {Transcript}
 */
function applyReceipt(transcript, event) {
  const index = findRow(transcript.rows, event.clientId, undefined);
  if (index < 0) return transcript;
  const { code: _, ...rest } = /** @type {MessageRow} */ (transcript.rows[index]);
  /** @type {MessageRow} */
  const row = rest;
  if (!row.state || !isAbove(event.status, row.state)) return transcript;
  row.state = event.status;
  if (event.id) row.id = event.id;
  if (event.messageSeq) row.seq = event.messageSeq;
  if (event.orderKey !== undefined) row.orderKey = event.orderKey;
  if (event.code) row.code = event.code;
  return { ...transcript, rows: withRow(transcript.rows, index, row) };
}

/**
 * @param {Transcript} transcript
 * @param {ConversationUpdated} event
 * @returns {Transcript}
 */
function applyUpdate(transcript, event) {
  const { status: before, agentName: agentBefore, reason: reasonBefore, ...rest } = transcript;
  const reason = event.reason || (event.status ? undefined : reasonBefore);
  const status = event.status ?? before;
  /** @type {Transcript} */
  const after = { ...rest, ...(status && { status }), ...(reason && { reason }) };
  /** @param {Row} row */
  const add = (row) => {
    after.rows = [...after.rows, row];
  };
  switch (event.status) {
    case "connected":
      if (before !== "connected" || (event.agentName && event.agentName !== agentBefore)) {
        if (event.agentName) after.agentName = event.agentName;
        add(notice("joined", event.agentName));
      } else if (agentBefore) {
        after.agentName = agentBefore;
      }
      break;
    case "waiting":
      if (before === "connected") add(notice("left", agentBefore));
      break;
    case "ended":
      if (before !== "ended") add(notice("ended"));
      after.typing = [];
      break;
    default:
      if (agentBefore) after.agentName = agentBefore;
  }
  return after;
}

/**
 * @param {"joined" | "left" | "ended"} kind
 * @param {string} [name]
 * @returns {Row}
 */
function notice(kind, name) {
  return name ? { kind: "notice", notice: kind, name } : { kind: "notice", notice: kind };
}

/**
 * @param {Fate} fate
 * @param {Fate} other
 */
function isAbove(fate, other) {
  return RANK[fate] > RANK[other];
}

/**
 * Put a row in its place, or after the last.
 *
 * @param {Row[]} rows
 * @param {number} index
 * @param {MessageRow} row
 */
function withRow(rows, index, row) {
  const places = placesOf(rows);
  if (OWNED.has(rows)) {
    rows[index] = row;
    note(places, row, index);
    return rows;
  }
  // They go with the newest rows: who goes on from older ones makes them anew.
  PLACES.delete(rows);
  const next = index < rows.length ? rows.with(index, row) : [...rows, row];
  note(places, row, index);
  PLACES.set(next, places);
  return next;
}

/** @param {Row[]} rows */
function placesOf(rows) {
  let places = PLACES.get(rows);
  if (!places) {
    places = new Map();
    for (const [index, row] of rows.entries()) if (row.kind === "message") note(places, row, index);
    PLACES.set(rows, places);
  }
  return places;
}

/**
 * @param {Map<string, number>} places
 * @param {MessageRow} row
 * @param {number} index
 */
function note(places, { clientId, id }, index) {
  if (clientId) places.set(`client ${clientId}`, index);
  if (id) places.set(`id ${id}`, index);
}

/**
 * @param {Row[]} rows
 * @param {string | undefined} clientId
 * @param {string | undefined} id
 * @returns {number} -1 when there is none.
 */
function findRow(rows, clientId, id) {
  const places = placesOf(rows);
  return (clientId ? places.get(`client ${clientId}`) : undefined) ?? (id ? places.get(`id ${id}`) : undefined) ?? -1;
}
