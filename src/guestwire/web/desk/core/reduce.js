/**
 * The page's one reducer: what the server said and what the agent did, to the next state.
 *
 * @import { Change, Desk, Input, State, Work } from "./types.js"
 */

import { emptyDesk, foldDesk, foldEntry } from "./fold.js";
import { foldUpload, uploadsOf, withUploads } from "./uploads.js";

/** @returns {State} */
export function initialState() {
  return {
    desk: emptyDesk(),
    work: {
      pane: "list",
      side: "guest",
      filter: "",
      drafts: new Map(),
      seen: new Map(),
      pending: new Map(),
      link: { status: "connecting" },
      templates: [],
      uploads: new Map(),
      asBot: false,
    },
  };
}

/**
 * @param {State} state
 * @param {Input} input
 * @returns {State}
 */
export function reduce(state, input) {
  const { desk, work } = state;
  switch (input.type) {
    case "change": {
      const next = foldDesk(desk, input.change, input.now);
      return next === desk ? state : { desk: next, work: followed(work, next, input.change) };
    }
    case "link":
      return { desk, work: { ...work, link: { status: input.status, retryAt: input.retryAt } } };
    case "signed-in": {
      const agents = desk.agents.some((one) => one.id === input.agent.id) ? desk.agents : [...desk.agents, input.agent];
      return {
        desk: { ...desk, agents },
        work: { ...work, meId: input.agent.id, myName: input.agent.name, problem: undefined },
      };
    }
    case "signed-out":
      return {
        desk,
        work: { ...work, meId: undefined, myName: undefined, selected: undefined, pane: "list", problem: undefined },
      };
    case "selected":
      if (!desk.conversations.has(input.conversationId)) return state;
      return {
        desk,
        work: { ...work, selected: input.conversationId, pane: "conversation", side: "guest", problem: undefined },
      };
    case "pane":
      return { desk, work: { ...work, pane: input.pane, side: input.side ?? work.side } };
    case "filtered":
      return { desk, work: { ...work, filter: input.filter } };
    case "drafted":
      return { desk, work: { ...work, drafts: drafted(work, input.conversationId, input.text) } };
    case "read":
      return read(state, input.conversationId);
    case "sending": {
      const waiting = [...(work.pending.get(input.conversationId) ?? []), input.message];
      const pending = new Map(work.pending).set(input.conversationId, waiting);
      const left = uploadsOf(work, input.conversationId).filter((one) => !input.message.uploads?.includes(one));
      return { desk, work: { ...withUploads(work, input.conversationId, left), pending, problem: undefined } };
    }
    case "sent":
      return {
        desk: foldEntry(desk, input.conversationId, input.entry),
        work: { ...work, pending: withoutPending(work, input.conversationId, input.pendingId) },
      };
    case "refused":
      return { desk, work: refused(work, input.conversationId, input.pendingId, input.problem) };
    case "said":
      return { desk: foldEntry(desk, input.conversationId, input.entry), work: { ...work, problem: undefined } };
    case "voice":
      return { desk, work: { ...work, asBot: input.asBot } };
    case "upload-added":
    case "upload-changed":
    case "upload-gone":
      return { desk, work: foldUpload(work, input) };
    case "problem":
      return { desk, work: { ...work, problem: input.problem } };
    case "dismissed":
      return work.problem ? { desk, work: { ...work, problem: undefined } } : state;
    case "templates":
      return { desk, work: { ...work, templates: input.templates } };
    case "restored":
      return { desk, work: { ...work, drafts: new Map(input.drafts), seen: new Map(input.seen) } };
    default:
      return state;
  }
}

/** @param {Work} work @param {Desk} desk @param {Change} change @returns {Work} */
function followed(work, desk, change) {
  if (change.type === "snapshot") return fitted(work, desk);
  if (change.type !== "entry") return work;
  // The agent's own words may come by the socket before the command is answered: they are not drawn twice.
  const { conversationId, entry } = change;
  const isMine = entry.from === "bot" || (entry.from === "agent" && entry.name === work.myName);
  const isTwin = (/** @type {import("./types.js").PendingMessage} */ one) => one.text === entry.text && (one.asBot ?? false) === (entry.from === "bot");
  const twin = isMine ? work.pending.get(conversationId)?.find(isTwin) : undefined;
  return twin ? { ...work, pending: withoutPending(work, conversationId, twin.id) } : work;
}

/**
 * A snapshot may follow a reset: what was open, and who sat here, may be gone.
 *
 * @param {Work} work
 * @param {Desk} desk
 * @returns {Work} `myName` stays, so that the page can take its seat again.
 */
function fitted(work, desk) {
  const isOpen = work.selected !== undefined && desk.conversations.has(work.selected);
  const isSeated = desk.agents.some((one) => one.id === work.meId);
  return {
    ...work,
    meId: isSeated ? work.meId : undefined,
    selected: isOpen ? work.selected : undefined,
    pane: !isOpen && work.pane === "conversation" ? "list" : work.pane,
  };
}

/** @param {Work} work @param {string} conversationId @param {string} text */
function drafted(work, conversationId, text) {
  const drafts = new Map(work.drafts);
  if (text) drafts.set(conversationId, text);
  else drafts.delete(conversationId);
  return drafts;
}

/** @param {State} state @param {string} conversationId @returns {State} */
function read(state, conversationId) {
  const { desk, work } = state;
  const last = desk.conversations.get(conversationId)?.entries.at(-1);
  if (!last || work.seen.get(conversationId) === last.id) return state;
  return { desk, work: { ...work, seen: new Map(work.seen).set(conversationId, last.id) } };
}

/** @param {Work} work @param {string} conversationId @param {string} pendingId */
function withoutPending(work, conversationId, pendingId) {
  const pending = new Map(work.pending);
  const left = (pending.get(conversationId) ?? []).filter((one) => one.id !== pendingId);
  if (left.length) pending.set(conversationId, left);
  else pending.delete(conversationId);
  return pending;
}

/**
 * A refused text goes back to the draft, before what was typed since, and so do its files: nothing is lost.
 *
 * @param {Work} work
 * @param {string} conversationId
 * @param {string} pendingId
 * @param {import("./types.js").Problem} problem
 * @returns {Work}
 */
function refused(work, conversationId, pendingId, problem) {
  const message = work.pending.get(conversationId)?.find((one) => one.id === pendingId);
  const draft = work.drafts.get(conversationId);
  const isText = message !== undefined && (!message.content || message.uploads !== undefined);
  const text = [isText ? message.text : "", draft ?? ""].filter(Boolean).join("\n");
  return {
    ...withUploads(work, conversationId, [...(message?.uploads ?? []), ...uploadsOf(work, conversationId)]),
    drafts: drafted(work, conversationId, text),
    pending: withoutPending(work, conversationId, pendingId),
    problem,
  };
}
