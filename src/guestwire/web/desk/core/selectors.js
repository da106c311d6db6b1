/**
 * Questions that the views ask of the state. Pure, no words: a view turns the answers into words.
 *
 * @import { Agent, Conversation, Desk, Entry, Fault, Sender, State, Work } from "./types.js"
 */

/** How long a typing mark stands without another, the wire's default duration in milliseconds. */
export const TYPING_MS = 5000;

/** @typedef {"waiting" | "mine" | "others" | "bot" | "ended"} SectionName */
/** @typedef {{ name: SectionName, conversations: Conversation[] }} Section */

/** @type {readonly SectionName[]} */
export const SECTIONS = ["waiting", "mine", "others", "bot", "ended"];

/**
 * @param {Conversation} conversation
 * @param {string | undefined} meId
 * @returns {SectionName}
 */
export function sectionOf(conversation, meId) {
  switch (conversation.stage) {
    case "queue":
      return "waiting";
    case "agent":
      return conversation.agentId === meId && meId !== undefined ? "mine" : "others";
    case "bot":
      return "bot";
    default:
      return "ended";
  }
}

/** @param {Conversation} conversation */
export function queuedAt(conversation) {
  return conversation.queuedAt ?? conversation.startedAt;
}

/**
 * The list, top to bottom. Rows keep their places: who waits longest first, then by start, the ended newest first.
 *
 * @param {State} state
 * @returns {Section[]} Every section, empty ones too.
 */
export function sections({ desk, work }) {
  /** @type {Map<SectionName, Conversation[]>} */
  const found = new Map(SECTIONS.map((name) => [name, []]));
  for (const conversation of desk.conversations.values()) {
    if (matches(conversation, work.filter)) found.get(sectionOf(conversation, work.meId))?.push(conversation);
  }
  return SECTIONS.map((name) => {
    const conversations = found.get(name) ?? [];
    if (name === "waiting") conversations.sort((a, b) => queuedAt(a) - queuedAt(b));
    else if (name === "ended") conversations.sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0));
    else conversations.sort((a, b) => a.startedAt - b.startedAt);
    return { name, conversations };
  });
}

/** @param {Conversation} conversation @param {string} filter */
function matches({ guest }, filter) {
  const wanted = filter.trim().toLocaleLowerCase();
  if (!wanted) return true;
  return [guest.name, guest.email, guest.externalContactId].some((value) => value?.toLocaleLowerCase().includes(wanted));
}

/** @param {Desk} desk @returns {Conversation[]} Who waits for an agent, longest first. */
export function waiting(desk) {
  return [...desk.conversations.values()]
    .filter((one) => one.stage === "queue")
    .sort((a, b) => queuedAt(a) - queuedAt(b));
}

/**
 * The conversation above or below the open one, in the order of the list; the ends are ends.
 *
 * @param {State} state
 * @param {1 | -1} step
 * @returns {string | undefined}
 */
export function neighbour(state, step) {
  const ids = sections(state).flatMap((section) => section.conversations.map((one) => one.id));
  const here = state.work.selected === undefined ? -1 : ids.indexOf(state.work.selected);
  if (here < 0) return step > 0 ? ids.at(0) : ids.at(-1);
  return ids[here + step];
}

/** @param {State} state @returns {Conversation | undefined} */
export function selected({ desk, work }) {
  return work.selected === undefined ? undefined : desk.conversations.get(work.selected);
}

/** @param {State} state @returns {Agent | undefined} */
export function me({ desk, work }) {
  return desk.agents.find((one) => one.id === work.meId);
}

/**
 * Guest messages that the agent of this tab has not read, in a conversation of theirs.
 *
 * @param {Conversation} conversation
 * @param {Work} work
 */
export function unread(conversation, work) {
  if (work.meId === undefined || conversation.agentId !== work.meId) return 0;
  const { entries } = conversation;
  const seenId = work.seen.get(conversation.id);
  // Who has answered has read what came before, also where this tab remembers nothing.
  const seenAt = entries.findLastIndex((one) => one.id === seenId || one.from === "agent");
  return entries.slice(seenAt + 1).filter((one) => one.from === "guest").length;
}

/** @param {Conversation} conversation @returns {Entry | undefined} The last thing said; a system row only if nothing was. */
export function lastLine({ entries }) {
  return entries.findLast((one) => one.from !== "system") ?? entries.at(-1);
}

/**
 * Who is typing, as the agent of this tab should see it: never themselves.
 *
 * @param {State} state
 * @param {Conversation} conversation
 * @param {number} now
 * @returns {Sender[]}
 */
export function typing({ desk, work }, conversation, now) {
  const marks = desk.typing.get(conversation.id);
  if (!marks || conversation.stage === "ended") return [];
  const isMine = conversation.agentId === work.meId;
  /** @type {Sender[]} */
  const senders = ["guest", "bot", "agent"];
  return senders.filter((from) => {
    const heardAt = marks[from];
    return heardAt !== undefined && now - heardAt < TYPING_MS && !(from === "agent" && isMine);
  });
}

/**
 * Whose agent has left the desk: anybody may take it over.
 *
 * @param {Desk} desk
 * @param {Conversation} conversation
 */
export function isDeserted(desk, conversation) {
  return conversation.stage === "agent" && !desk.agents.some((one) => one.id === conversation.agentId);
}

/** @typedef {"write" | "accept" | "take-over" | "watch-bot" | "watch-agent" | "ended" | "none"} FootMode */

/**
 * What the agent can do at the foot of the open conversation.
 *
 * @param {State} state
 * @returns {FootMode}
 */
export function footMode(state) {
  const conversation = selected(state);
  if (!conversation) return "none";
  switch (sectionOf(conversation, state.work.meId)) {
    case "mine":
      return "write";
    case "waiting":
      return "accept";
    case "bot":
      return "watch-bot";
    case "others":
      return isDeserted(state.desk, conversation) ? "take-over" : "watch-agent";
    default:
      return "ended";
  }
}

/** @param {Desk} desk @returns {Fault[]} */
export function faultsOn(desk) {
  return desk.faults.filter((one) => one.kind === "switch" && one.on);
}

/**
 * @param {readonly Fault[]} faults
 * @param {string} filter What the title or the explanation must contain.
 * @param {string} others The title of those that belong to no group.
 * @returns {{ title: string, faults: Fault[] }[]} In the catalogue's order.
 */
export function faultGroups(faults, filter, others) {
  const wanted = filter.trim().toLocaleLowerCase();
  const shown = faults.filter((one) => `${one.title} ${one.help} ${one.name}`.toLocaleLowerCase().includes(wanted));
  const titles = [...new Set(faults.map((one) => one.group ?? others))];
  return titles
    .map((title) => ({ title, faults: shown.filter((one) => (one.group ?? others) === title) }))
    .filter((group) => group.faults.length > 0);
}

/** @param {State} state Whether commands can be sent. */
export function isOnline({ work }) {
  return work.link.status === "open";
}

/**
 * Other conversations of the same person, newest first.
 *
 * @param {Desk} desk
 * @param {Conversation} conversation
 * @returns {Conversation[]}
 */
export function otherVisits(desk, conversation) {
  const { email, externalContactId } = conversation.guest;
  return [...desk.conversations.values()]
    .filter(
      (one) =>
        one.id !== conversation.id &&
        ((externalContactId !== undefined && one.guest.externalContactId === externalContactId) ||
          (email !== undefined && one.guest.email === email)),
    )
    .sort((a, b) => b.startedAt - a.startedAt);
}

/**
 * Whether texts of a conversation are formatted: where its deployment says so.
 *
 * @param {Desk} desk
 * @param {Conversation} conversation
 */
export function hasMarkdown(desk, { deploymentId }) {
  return desk.deployments.find((one) => one.id === deploymentId)?.markdown ?? false;
}

/** @param {Guest | undefined} guest @typedef {import("./types.js").Guest} Guest @returns {string} Up to two letters. */
export function initials(guest) {
  const words = (guest?.name ?? guest?.email ?? "").trim().split(/\s+/u).filter(Boolean);
  const picked = words.length > 1 ? [words[0], words.at(-1)] : words;
  return picked.map((word) => [...(word ?? "")][0] ?? "").join("").toLocaleUpperCase();
}

/** @param {string} id @param {number} count @returns {number} A stable choice out of `count`. */
export function tint(id, count) {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum % count;
}
