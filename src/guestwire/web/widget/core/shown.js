/** What is to be read, in its order, and what the guest can do with it. */

/** @import { MessageRow, Row } from "./types.js" */
/** @import { UiState } from "./state.js" */

import { hasEnded } from "./state.js";

/** Fates of a message that can't end any other way, and are not good. */
const LOST = new Set(["failed", "unconfirmed"]);

/** Above every key: they are digits first. */
const LAST_PLACE = "\uffff";

/** @typedef {{ key: string, row: Row }} Shown */

/** What was worked out last for these rows. @type {WeakMap<Row[], { pending: Row[], replaced: string[], shown: Shown[] }>} */
const KNOWN = new WeakMap();

/**
 * What is to be read, in its order. A row's key is its own for as long as it is shown.
 *
 * @param {UiState} state
 * @returns {Shown[]} The same list for the same rows.
 */
export function shownRows({ transcript, pending, replaced }) {
  const known = KNOWN.get(transcript.rows);
  if (known?.pending === pending.rows && known.replaced === replaced) return known.shown;
  /** @type {Shown[]} */
  const rows = [];
  let index = 0;
  for (const list of [transcript.rows, pending.rows]) {
    for (const row of list) {
      const clientId = row.kind === "message" ? row.clientId : undefined;
      if (!clientId || !replaced.includes(clientId)) rows.push({ key: clientId ?? String(index), row });
      index += 1;
    }
  }
  const shown = inOrder(rows, ({ row }) => placeOf(row));
  KNOWN.set(transcript.rows, { pending: pending.rows, replaced, shown });
  return shown;
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
 * The provider's order where it is known: rows with a place in it stand by that place, the others where they came.
 *
 * @template Item
 * @param {Item[]} items In the order they came.
 * @param {(item: Item) => string | undefined} place
 * @returns {Item[]}
 */
function inOrder(items, place) {
  /** @type {Item[]} */
  const ordered = [];
  let last = "";
  for (const item of items) {
    const own = place(item);
    if (own === undefined || own >= last) {
      ordered.push(item);
    } else {
      // Before the first that stands higher: not far from the end, as a rule.
      let at = ordered.length;
      for (let index = at - 1; index >= 0; index -= 1) {
        const other = place(ordered[index]);
        if (other === undefined) continue;
        if (other <= own) break;
        at = index;
      }
      ordered.splice(at, 0, item);
    }
    if (own !== undefined && own > last) last = own;
  }
  return ordered;
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
  return terms.readOnly ? "read-only" : (transcript.reason ?? "");
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
