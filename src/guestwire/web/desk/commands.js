/**
 * What the agent asks for, done: each intent to a call of the API and to the state.
 *
 * @import { ConversationFacts, Input, State } from "./core/types.js"
 * @import { ConversationCommand } from "./io/api.js"
 * @import { Words } from "./locales/en.js"
 * @import { Setting } from "./views/faults.js"
 */

import { isOnline, me, selected, waiting } from "./core/selectors.js";
import { api, problemOf } from "./io/api.js";
import { problemWords } from "./views/banner.js";
import { ask, askForText, choose } from "./views/dialogs.js";
import { guestName } from "./views/parts.js";

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
  /** The open conversation, if the agent may write in it now. */
  function mine() {
    const conversation = selected(state());
    const isMine = conversation?.stage === "agent" && conversation.agentId === state().work.meId;
    return isMine && isOnline(state()) ? conversation : undefined;
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

    transfer: async () => {
      const conversation = mine();
      const { meId } = state().work;
      if (!conversation || meId === undefined) return;
      const { transferTitle, transferText, toBot, toQueue, onQueue, offQueue } = words.dialog;
      const colleagues = state().desk.agents.filter((one) => one.id !== meId);
      const to = await choose({
        title: transferTitle(guestName(conversation.guest, words)),
        text: transferText,
        options: [
          { value: "bot", label: toBot, icon: "bot" },
          { value: "queue", label: toQueue, icon: "templates" },
          ...colleagues.map((one) => ({ value: one.id, label: one.name, detail: one.onQueue ? onQueue : offQueue, icon: /** @type {const} */ ("person") })),
        ],
      }, words);
      if (to !== undefined && (await attempt(() => api.transfer(conversation.id, meId, to)))) say(words.news.transferred);
    },

    /** @param {number} count */
    push: async (count) => {
      const conversation = mine();
      const { meId, asBot } = state().work;
      if (conversation && meId !== undefined) await attempt(() => api.push(conversation.id, { agentId: meId, count, asBot }));
    },

    /** @param {"expire" | "sign-in-elsewhere"} command What happens to the guest of the open conversation. */
    befall: async (command) => {
      const conversation = selected(state());
      if (conversation && isOnline(state()) && (await order(conversation.id, command))) say(words.news.befallen[command]);
    },

    /** Ask for the address of the agent's picture. */
    changePicture: () => {
      const agent = me(state());
      if (!agent || !isOnline(state())) return;
      const { pictureTitle, pictureText, pictureLabel, pictureConfirm } = words.dialog;
      askForText(
        { title: pictureTitle, text: pictureText, label: pictureLabel, value: agent.avatar ?? "", type: "url", confirm: pictureConfirm },
        async (text) => {
          try {
            await api.setAvatar(agent.id, text || null);
            return undefined;
          } catch (error) {
            return problemWords(problemOf(error), words);
          }
        },
        words,
      );
    },

    /** @param {string} deploymentId @param {Record<string, unknown>} changes */
    changeDeployment: (deploymentId, changes) => attempt(() => api.changeDeployment(deploymentId, changes)),

    end: async () => {
      const conversation = mine();
      if (!conversation) return;
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
