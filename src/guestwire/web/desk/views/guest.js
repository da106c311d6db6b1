/**
 * What is known of the guest of the open conversation.
 *
 * @import { Conversation } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { otherVisits, selected } from "../core/selectors.js";
import { h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { createActions } from "./guest-actions.js";
import { icon } from "./icons.js";
import { avatar, createCopy, guestName, updateAvatar } from "./parts.js";

/** @typedef {{ key: string, label: string, value: string, isCode?: boolean, isMissing?: boolean }} Fact */

/**
 * @param {Words} words
 * @param {{ onSelect: (id: string) => void, onCopy: (text: string) => Promise<boolean> } & Parameters<typeof createActions>[1]} intents
 */
export function createGuest(words, intents) {
  const { onSelect, onCopy } = intents;
  const face = avatar();
  face.classList.add("avatar-large");
  const name = h("bdi");
  const presence = h("p", { class: "presence" });
  const signedIn = h("p", { class: "signed-in" }, icon("lock"), h("span", {}));
  const facts = h("dl", { class: "facts" });
  const attributeList = h("dl", { class: "facts" });
  const attributes = h("section", {}, h("h3", { class: "section-title" }, words.side.attributes), attributeList);
  const actions = createActions(words, intents);
  const visitList = h("ul", { class: "visits" });
  const visits = h("section", {}, h("h3", { class: "section-title" }, words.side.visits), visitList);
  const card = h("div", { class: "guest" }, h("div", { class: "guest-head" }, face, h("h2", { class: "guest-name" }, name), presence), signedIn, facts, attributes, actions.element, visits);
  const none = h("p", { class: "quiet side-none" }, words.side.none);
  const element = h("div", {}, none, card);

  /** @param {Fact} fact */
  function createFact(fact) {
    const value = h("span", { class: fact.isCode ? "code" : "", dir: "auto" });
    const copy = createCopy(words.side.copy(fact.label), () => onCopy(value.textContent ?? ""));
    return h("div", { class: "fact" }, h("dt", {}, fact.label), h("dd", {}, value, copy));
  }

  return {
    element,
    /** @param {Model} model */
    update(model) {
      const { state, format } = model;
      const conversation = selected(state);
      show(none, !conversation);
      show(card, conversation !== undefined);
      if (!conversation) return;
      updateAvatar(face, conversation, words);
      setText(name, guestName(conversation.guest, words));
      const isOnline = conversation.stage !== "ended" && conversation.connections > 0;
      setText(presence, isOnline ? (conversation.connections > 1 ? words.guest.tabs(conversation.connections) : words.guest.online) : words.guest.offline);
      setAttribute(presence, "data-on", isOnline);
      const { attributes: told = {}, signedInAs } = conversation.guest;
      show(signedIn, signedInAs !== undefined);
      setText(/** @type {Node} */ (signedIn.lastChild), signedInAs === undefined ? "" : words.guest.signedInAs(signedInAs));
      show(attributes, Object.keys(told).length > 0);
      syncChildren(attributeList, Object.entries(told), ([key]) => key, ([key, value]) => createFact({ key, label: key, value, isCode: true }), (node, [, value]) => {
        setText(/** @type {Node} */ (node.querySelector("dd span")), value);
      });
      actions.update(model, conversation);
      syncChildren(facts, factsOf(model, conversation), (fact) => fact.key, createFact, (node, fact) => {
        const value = /** @type {Element} */ (node.querySelector("dd span"));
        setText(value, fact.value);
        setAttribute(node, "data-missing", fact.isMissing);
        setAttribute(node, "data-copy", !fact.isMissing && ["email", "externalContactId", "conversationId", "sessionId"].includes(fact.key));
      });
      const others = otherVisits(state.desk, conversation).slice(0, 8);
      show(visits, others.length > 0);
      syncChildren(visitList, others, (one) => one.id, (one) => {
        const open = h("button", { type: "button", class: "visit" });
        onPress(open, () => onSelect(one.id));
        return h("li", {}, open);
      }, (node, one) => {
        setText(/** @type {Node} */ (node.firstChild), `${format.day(one.startedAt, model.now)}, ${format.time(one.startedAt)} · ${words.list.sections[one.stage === "queue" ? "waiting" : one.stage === "bot" ? "bot" : one.stage === "ended" ? "ended" : one.agentId === state.work.meId ? "mine" : "others"]}`);
      });
    },
  };

  /** @param {Model} model @param {Conversation} conversation @returns {Fact[]} */
  function factsOf({ now, format }, conversation) {
    const { guest, startedAt, endedAt } = conversation;
    /** @param {string} key @param {string} label @param {string | undefined} value @param {boolean} [isCode] */
    const fact = (key, label, value, isCode) => ({ key, label, value: value || words.side.notGiven, isCode, isMissing: !value });
    return [
      fact("email", words.side.email, guest.email),
      fact("externalContactId", words.side.externalContactId, guest.externalContactId, true),
      ...(conversation.agentName ? [fact("agent", words.side.agent, conversation.agentName)] : []),
      fact("started", words.side.started, `${format.day(startedAt, now)}, ${format.time(startedAt)}`),
      ...(endedAt === undefined ? [] : [fact("ended", words.side.ended, `${format.day(endedAt, now)}, ${format.time(endedAt)}`)]),
      fact("length", words.side.length, format.span((endedAt ?? now) - startedAt)),
      ...(conversation.protocol ? [fact("protocol", words.side.protocol, words.side.protocols[conversation.protocol])] : []),
      fact("conversationId", words.side.conversationId, conversation.id, true),
      fact("sessionId", words.side.sessionId, conversation.sessionId, true),
    ];
  }
}
