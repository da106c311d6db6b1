/**
 * A conversation's entries as the rows that are drawn: day dividers, groups of one sender, system lines.
 *
 * @import { Entry, PendingMessage } from "./types.js"
 */

/** Messages of one sender closer together than this stand under one heading. */
const GROUP_MS = 120_000;

/**
 * @typedef {{ kind: "day", key: string, at: number }
 *   | { kind: "system", key: string, entry: Entry }
 *   | { kind: "message", key: string, entry: Entry, isFirst: boolean, isPending: boolean }} Row
 */

/**
 * @param {readonly Entry[]} entries
 * @param {readonly PendingMessage[]} pending The agent's own, not yet confirmed; drawn last.
 * @param {(at: number) => string} dayOf A key that is the same for times of one calendar day, where the reader is.
 * @returns {Row[]}
 */
export function transcriptRows(entries, pending, dayOf) {
  /** @type {Row[]} */
  const rows = [];
  /** @type {Entry | undefined} */
  let before;
  let day = "";
  for (const { entry, isPending } of [
    ...entries.map((said) => ({ entry: said, isPending: false })),
    ...pending.map((message) => ({ entry: asEntry(message), isPending: true })),
  ]) {
    const today = dayOf(entry.at);
    if (today !== day) {
      rows.push({ kind: "day", key: `day ${today}`, at: entry.at });
      day = today;
      before = undefined;
    }
    if (entry.from === "system") {
      rows.push({ kind: "system", key: entry.id, entry });
    } else {
      const isFirst = !before || !sameSender(before, entry, isPending) || entry.at - before.at > GROUP_MS;
      rows.push({ kind: "message", key: entry.id, entry, isFirst, isPending });
    }
    before = entry;
  }
  return rows;
}

/** @param {Entry} a @param {Entry} b @param {boolean} isPending A pending message is the agent's own and has no name yet. */
function sameSender(a, b, isPending) {
  return a.from === b.from && (isPending || a.name === b.name);
}

/** @param {PendingMessage} message @returns {Entry} */
function asEntry({ id, text, at, content, asBot }) {
  return { id, from: asBot ? "bot" : "agent", text, at, ...(content && { content }) };
}
