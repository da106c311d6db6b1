/**
 * What the agent asks for, done: each intent to a call of the API and to the state.
 *
 * @import { ConversationFacts, Input, Problem, State, Template } from "./core/types.js"
 * @import { ConversationCommand } from "./io/api.js"
 * @import { Words } from "./locales/en.js"
 * @import { Setting } from "./views/faults.js"
 */

import { isOnline, me, selected, waiting } from "./core/selectors.js";
import { api, ApiError } from "./io/api.js";
import { ask } from "./views/dialogs.js";
import { guestName } from "./views/parts.js";

/** The desk API asks for no more than one typing mark in this time. */
const TYPING_EVERY_MS = 3000;

/**
 * @typedef {object} Desktop What the commands need of the page.
 * @property {() => State} state
 * @property {(input: Input) => void} dispatch
 * @property {(text: string) => void} say To the announcer.
 * @property {() => void} focusConversation After the next drawing.
 * @property {Words} words
 */

/** @param {Desktop} desktop */
export function createCommands({ state, dispatch, say, focusConversation, words }) {
  /** @type {Map<string, number>} When typing was last told, by conversation. */
  const typedAt = new Map();
  /** @type {Map<string, Promise<unknown>>} The last send of each conversation: order is kept by waiting for it. */
  const lastSend = new Map();
  let pendingCount = 0;

  /** @param {unknown} error @returns {Problem} */
  function problemOf(error) {
    if (error instanceof ApiError) return { code: error.code, message: error.message };
    throw error;
  }

  /**
   * @template Answer
   * @param {() => Promise<Answer>} call
   * @returns {Promise<{ answer: Answer } | undefined>} Undefined when it was refused; the page then shows why.
   */
  async function attempt(call) {
    try {
      const answer = await call();
      dispatch({ type: "dismissed" });
      return { answer };
    } catch (error) {
      dispatch({ type: "problem", problem: problemOf(error) });
      return undefined;
    }
  }

  /** @param {string} id @param {ConversationCommand} command */
  function order(id, command) {
    const { meId } = state().work;
    return meId === undefined ? Promise.resolve(undefined) : attempt(() => api.command(id, command, meId));
  }

  /** @param {boolean} onQueue */
  async function setOnQueue(onQueue) {
    const { meId } = state().work;
    if (meId === undefined) return false;
    const done = await attempt(() => api.setOnQueue(meId, onQueue));
    if (done) say(onQueue ? words.news.onQueue : words.news.offQueue);
    return done !== undefined;
  }

  /** @param {string} id */
  async function accept(id) {
    if (!isOnline(state())) return;
    if (!me(state())?.onQueue && !(await setOnQueue(true))) return;
    const done = await order(id, "accept");
    if (!done) return;
    // The event may not have come yet; what it will say is in the answer.
    const known = state().desk.conversations.get(id);
    if (known && known.stage !== "ended" && known.agentId !== done.answer.agentId) {
      const { entries: _entries, ...facts } = done.answer;
      dispatch({ type: "change", change: { type: "conversation", conversation: /** @type {ConversationFacts} */ (facts) }, now: Date.now() });
    }
    dispatch({ type: "selected", conversationId: id });
    focusConversation();
    if (known) say(words.news.accepted(guestName(known.guest, words)));
  }

  /** @param {string} id @param {string} text @param {Template["content"]} [content] */
  function send(id, text, content) {
    const { meId } = state().work;
    if (meId === undefined) return;
    pendingCount += 1;
    const pendingId = `pending-${pendingCount}`;
    dispatch({ type: "sending", conversationId: id, message: { id: pendingId, text, at: Date.now(), ...(content && { content }) } });
    if (!content) dispatch({ type: "drafted", conversationId: id, text: "" });
    typedAt.delete(id);
    const sent = (lastSend.get(id) ?? Promise.resolve()).then(async () => {
      try {
        const entry = await api.send(id, { agentId: meId, text, ...(content && { content }) });
        dispatch({ type: "sent", conversationId: id, pendingId, entry, now: Date.now() });
      } catch (error) {
        dispatch({ type: "refused", conversationId: id, pendingId, problem: problemOf(error) });
      }
    });
    lastSend.set(id, sent);
  }

  return {
    /** @param {string} name */
    signIn: async (name) => {
      try {
        dispatch({ type: "signed-in", agent: await api.signIn(name) });
        return true;
      } catch (error) {
        const problem = problemOf(error);
        // Of a name, the same refusal means another thing than of a guest.
        dispatch({ type: "problem", problem: problem.code === "already-taken" ? { code: "name-taken" } : problem });
        return false;
      }
    },

    leave: async () => {
      const agent = me(state());
      if (!agent) return dispatch({ type: "signed-out" });
      const { leaveTitle, leaveText, leaveConfirm } = words.dialog;
      if (!(await ask({ title: leaveTitle, text: leaveText(agent.active), confirm: leaveConfirm }, words))) return;
      if (await attempt(() => api.signOut(agent.id))) dispatch({ type: "signed-out" });
    },

    toggleQueue: () => setOnQueue(!me(state())?.onQueue),
    goOnQueue: () => setOnQueue(true),
    accept,

    acceptNext: async () => {
      const [next] = waiting(state().desk);
      if (next) await accept(next.id);
      else say(words.news.nobodyWaiting);
    },

    send,
    /** @param {string} id @param {Template} template */
    sendTemplate: (id, { text, content }) => send(id, text, content),

    /** @param {string} id */
    tellTyping: (id) => {
      const { meId } = state().work;
      const now = Date.now();
      if (meId === undefined || !isOnline(state()) || now - (typedAt.get(id) ?? 0) < TYPING_EVERY_MS) return;
      typedAt.set(id, now);
      // A typing mark that is lost is nobody's loss.
      api.command(id, "typing", meId).catch(problemOf);
    },

    transfer: async () => {
      const conversation = selected(state());
      if (!conversation || conversation.agentId !== state().work.meId || !isOnline(state())) return;
      if (await order(conversation.id, "transfer")) say(words.news.transferred);
    },

    end: async () => {
      const conversation = selected(state());
      if (conversation?.stage !== "agent" || conversation.agentId !== state().work.meId || !isOnline(state())) return;
      const { endTitle, endText, endConfirm } = words.dialog;
      const title = endTitle(guestName(conversation.guest, words));
      if (await ask({ title, text: endText, confirm: endConfirm }, words)) await order(conversation.id, "end");
    },

    /** @param {string} name @param {Setting} setting */
    setFault: (name, setting) => attempt(() => api.setFault(name, setting)),
    /** @param {string} name */
    fireFault: async (name) => (await attempt(() => api.fireFault(name))) !== undefined,
    clearFaults: async () => {
      if (await attempt(() => api.clearFaults())) say(words.news.faultsCleared);
    },
    reset: async () => {
      const { resetTitle, resetText, resetConfirm } = words.dialog;
      if (!(await ask({ title: resetTitle, text: resetText, confirm: resetConfirm }, words))) return;
      if (await attempt(() => api.reset())) say(words.news.wasReset);
    },

    loadTemplates: async () => {
      const done = await attempt(() => api.templates());
      if (done) dispatch({ type: "templates", templates: done.answer });
    },
  };
}
