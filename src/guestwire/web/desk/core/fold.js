/**
 * What the server says, as one value: a snapshot and every change after it, folded.
 *
 * The rule that the tests hold: snapshot + changes = a fresh snapshot. Unknown kinds and things about unknown
 * conversations change nothing; the same entry twice is one entry.
 *
 * @import { Change, Conversation, Desk, Entry, Sender } from "./types.js"
 */

/** @returns {Desk} A desk that has heard nothing yet. */
export function emptyDesk() {
  return {
    synced: false,
    agents: [],
    conversations: new Map(),
    faults: [],
    deployments: [],
    flow: { published: true },
    queue: { name: "" },
    typing: new Map(),
  };
}

/**
 * Read one frame of the event socket.
 *
 * @param {string} text
 * @returns {Change | undefined} Undefined for anything this page does not know: it is skipped, never an error.
 */
export function parseChange(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isChange(value) ? value : undefined;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown} value */
function hasId(value) {
  return isRecord(value) && typeof value.id === "string";
}

/** @param {unknown} value @returns {value is Change} */
function isChange(value) {
  if (!isRecord(value)) return false;
  switch (value.type) {
    case "snapshot":
      return [value.agents, value.conversations, value.faults].every(Array.isArray);
    case "agents":
      return Array.isArray(value.agents);
    case "conversation":
      return hasId(value.conversation);
    case "entry":
      return typeof value.conversationId === "string" && hasId(value.entry);
    case "typing":
      return typeof value.conversationId === "string" && typeof value.from === "string";
    case "deployments":
      return Array.isArray(value.deployments);
    case "faults":
      return Array.isArray(value.faults);
    default:
      return false;
  }
}

/**
 * @param {Desk} desk
 * @param {Change} change
 * @param {number} now Epoch milliseconds; only typing marks use it.
 * @returns {Desk} The same object when nothing changed, so that views can compare by identity.
 */
export function foldDesk(desk, change, now) {
  switch (change.type) {
    case "snapshot":
      return {
        synced: true,
        agents: change.agents,
        conversations: new Map(change.conversations.map((one) => [one.id, { ...one, entries: one.entries ?? [] }])),
        faults: change.faults,
        deployments: change.deployments ?? [],
        flow: change.flow ?? { published: true },
        queue: change.queue ?? { name: "" },
        typing: new Map(),
      };
    case "agents":
      return { ...desk, agents: change.agents };
    case "conversation": {
      const { id } = change.conversation;
      const entries = desk.conversations.get(id)?.entries ?? [];
      const folded = withConversation(desk, { ...change.conversation, entries });
      return change.conversation.stage === "ended" ? withoutTyping(folded, id) : folded;
    }
    case "entry":
      return foldEntry(desk, change.conversationId, change.entry);
    case "typing": {
      if (!desk.conversations.has(change.conversationId)) return desk;
      const marks = { ...desk.typing.get(change.conversationId), [change.from]: now };
      return { ...desk, typing: new Map(desk.typing).set(change.conversationId, marks) };
    }
    case "deployments":
      return { ...desk, deployments: change.deployments };
    case "faults":
      return { ...desk, faults: change.faults, flow: change.flow ?? desk.flow };
    default:
      return desk;
  }
}

/**
 * @param {Desk} desk
 * @param {string} conversationId
 * @param {Entry} entry
 * @returns {Desk}
 */
export function foldEntry(desk, conversationId, entry) {
  const conversation = desk.conversations.get(conversationId);
  if (!conversation) return desk;
  const known = conversation.entries.findIndex((one) => one.id === entry.id);
  const entries = known < 0 ? [...conversation.entries, entry] : conversation.entries.with(known, entry);
  return withoutTyping(withConversation(desk, { ...conversation, entries }), conversationId, entry.from);
}

/** @param {Desk} desk @param {Conversation} conversation @returns {Desk} */
function withConversation(desk, conversation) {
  return { ...desk, conversations: new Map(desk.conversations).set(conversation.id, conversation) };
}

/**
 * Forget that somebody was typing: their message has come, or all is over.
 *
 * @param {Desk} desk
 * @param {string} conversationId
 * @param {Sender} [from] Everybody when absent.
 * @returns {Desk}
 */
function withoutTyping(desk, conversationId, from) {
  const marks = desk.typing.get(conversationId);
  if (!marks || (from && marks[from] === undefined)) return desk;
  const typing = new Map(desk.typing);
  if (from) {
    const { [from]: _gone, ...rest } = marks;
    typing.set(conversationId, rest);
  } else {
    typing.delete(conversationId);
  }
  return { ...desk, typing };
}
