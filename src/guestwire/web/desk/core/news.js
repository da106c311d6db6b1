/**
 * What a person who cannot see the page must be told, from the state before and after.
 *
 * @import { Conversation, Entry, State } from "./types.js"
 */

/**
 * @typedef {{ kind: "waiting", conversation: Conversation }
 *   | { kind: "message", conversation: Conversation, entry: Entry, isOpen: boolean }
 *   | { kind: "system", conversation: Conversation, entry: Entry }
 *   | { kind: "ended", conversation: Conversation }} News
 */

/**
 * @param {State} before
 * @param {State} after
 * @returns {News[]} Empty for the first snapshot: what was there already is no news.
 */
export function news(before, after) {
  if (!before.desk.synced || before.desk.conversations === after.desk.conversations) return [];
  /** @type {News[]} */
  const found = [];
  for (const conversation of after.desk.conversations.values()) {
    const known = before.desk.conversations.get(conversation.id);
    if (known === conversation) continue;
    if (conversation.stage === "queue" && known?.stage !== "queue") found.push({ kind: "waiting", conversation });
    const isOpen = after.work.selected === conversation.id;
    const isMine = conversation.agentId !== undefined && conversation.agentId === after.work.meId;
    const knownIds = new Set(known?.entries.map((one) => one.id));
    for (const entry of isOpen || isMine ? conversation.entries : []) {
      if (knownIds.has(entry.id)) continue;
      if (entry.from === "guest" || (entry.from === "bot" && isOpen)) {
        found.push({ kind: "message", conversation, entry, isOpen });
      } else if (entry.from === "system" && isOpen) {
        found.push({ kind: "system", conversation, entry });
      }
    }
    if (isMine && !isOpen && conversation.stage === "ended" && known && known.stage !== "ended") {
      found.push({ kind: "ended", conversation });
    }
  }
  return found;
}
