/** What is to be read, in its order, and what the guest can do with it. */

/** @import { MessageRow, Row } from "./types.js" */
/** @import { UiState } from "./state.js" */

import { hasEnded } from "./state.js";

/** Fates of a message that can't end any other way, and are not good. */
const LOST = new Set(["failed", "unconfirmed"]);

/** Above every key: they are digits first. */
const LAST_PLACE = "\uffff";

/** @typedef {{ key: string, row: Row }} Shown */

/** What was worked out last, to go on from: a long transcript is put in order once. */
let known = { rows: /** @type {Row[]} */ ([]), replaced: /** @type {string[]} */ ([]), ordered: /** @type {Shown[]} */ ([]) };

/** With more changes than these, all is worked out anew. */
const FEW = 8;

/**
 * What is to be read, in its order. A row's key is its own for as long as it is shown.
 *
 * @param {UiState} state
 * @returns {Shown[]}
 */
export function shownRows({ transcript, pending, replaced }) {
  const { rows } = transcript;
  if (known.rows !== rows || known.replaced !== replaced) {
    const ordered = (known.replaced === replaced && followed(rows)) || insertAll([], rows, 0, replaced);
    known = { rows, replaced, ordered };
  }
  if (!pending.rows.length) return known.ordered;
  return insertAll([...known.ordered], [...rows, ...pending.rows], rows.length, replaced);
}

/**
 * What is known, with what has changed and come since.
 *
 * @param {Row[]} rows
 * @returns {Shown[] | undefined} Undefined when that would be more work than to begin anew.
 */
function followed(rows) {
  const { rows: before, replaced } = known;
  if (!before.length || rows.length < before.length) return undefined;
  const list = [...known.ordered];
  let changes = rows.length - before.length;
  for (let index = 0; index < before.length; index += 1) {
    const old = before[index];
    const row = rows[index];
    if (row === old) continue;
    changes += 1;
    if (changes > FEW || keyOf(row, index) !== keyOf(old, index) || placeOf(row) !== placeOf(old)) return undefined;
    const at = list.findLastIndex((shown) => shown.row === old);
    if (at >= 0) list[at] = { key: list[at].key, row };
  }
  return insertAll(list, rows, before.length, replaced);
}

/**
 * @param {Row} row
 * @param {number} index
 */
function keyOf(row, index) {
  return (row.kind === "message" && row.clientId) || String(index);
}

/**
 * Put rows where the provider's order has them, if it is known; else they stand where they came.
 *
 * @param {Shown[]} list Is changed.
 * @param {Row[]} rows
 * @param {number} from The first of them.
 * @param {string[]} replaced
 */
function insertAll(list, rows, from, replaced) {
  for (let index = from; index < rows.length; index += 1) {
    const row = rows[index];
    const key = keyOf(row, index);
    if (replaced.includes(key)) continue;
    const own = placeOf(row);
    let at = list.length;
    // Before the first that stands higher: not far from the end, as a rule.
    for (let other = at - 1; own !== undefined && other >= 0; other -= 1) {
      const place = placeOf(list[other].row);
      if (place === undefined) continue;
      if (place <= own) break;
      at = other;
    }
    list.splice(at, 0, { key, row });
  }
  return list;
}

/**
 * @param {Row} row
 * @returns {string | undefined} Its place in the provider's order; of what the provider does not have yet, after all others.
 */
function placeOf(row) {
  if (row.kind !== "message" || row.seq === undefined) return undefined;
  const isOnItsWay = row.clientId !== undefined && (row.state === "accepted" || row.state === "waiting");
  return row.orderKey ?? (isOnItsWay ? LAST_PLACE : undefined);
}

/**
 * What a guest can do about a message of theirs that did not arrive: try it again, or not even know whether it did.
 *
 * @param {UiState} state
 * @param {MessageRow} row
 * @returns {"failed" | "unconfirmed" | undefined}
 */
export function remedyOf(state, row) {
  const isLost = row.state !== undefined && LOST.has(row.state) && row.clientId !== undefined;
  return isLost && composerMode(state) === "on" ? /** @type {"failed" | "unconfirmed"} */ (row.state) : undefined;
}

/**
 * What the composer is: `off` before the first connection and once the guest has ended the chat, `on`, or `ended`. On
 * while reconnecting: what is sent then waits for the socket.
 *
 * @param {UiState} state
 * @returns {"off" | "on" | "ended"}
 */
export function composerMode(state) {
  if (hasEnded(state) || (state.terms.readOnly && state.hasConnected)) return "ended";
  return state.hasConnected && !state.isEnding ? "on" : "off";
}

/**
 * Why the guest can't write any more: a key of the words `ended.…`; "" when nobody has said.
 *
 * @param {UiState} state
 */
export function reasonOf({ terms, transcript }) {
  const { reason = "" } = transcript;
  return terms.readOnly && reason !== "cleared" ? "read-only" : reason;
}

/**
 * What answers what: by the `providerId` of the message that offered a choice. One that has failed is no answer.
 *
 * @param {Shown[]} shown
 * @returns {Map<string, MessageRow>}
 */
export function answersIn(shown) {
  const answers = new Map();
  for (const { row } of shown) {
    if (row.kind !== "message" || row.from !== "guest" || row.state === "failed") continue;
    const target = row.inReplyTo ?? row.content?.map(targetOf).find((id) => id !== undefined);
    if (target !== undefined) answers.set(target, row);
  }
  return answers;
}

/** @param {any} item @returns {string | undefined} */
function targetOf({ buttonResponse, form }) {
  const id = (buttonResponse ?? form)?.originatingMessageId;
  return typeof id === "string" ? id : undefined;
}

/**
 * From which shown row on the guest has said nothing. Choices of a message without an id of the provider's may be taken
 * until then.
 *
 * @param {UiState} state
 * @returns {number} Infinity when the chat takes no answers.
 */
export function answerableFrom(state) {
  if (composerMode(state) !== "on") return Infinity;
  const answered = shownRows(state).findLastIndex(({ row }) => row.kind === "message" && row.from === "guest");
  return Math.max(state.startsAt, answered + 1);
}

/**
 * Whether two neighbouring rows read as one: the same sender within the same minute, or without a time of its own.
 *
 * @param {MessageRow} row
 * @param {MessageRow} next
 */
export function areOneGroup(row, next) {
  if (row.from !== next.from || row.name !== next.name) return false;
  if (row.sentAt === undefined || next.sentAt === undefined) return true;
  return Math.floor(row.sentAt / 60_000) === Math.floor(next.sentAt / 60_000);
}
