/**
 * What a tester lets happen to the guest of the open conversation.
 *
 * @import { Conversation } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { isOnline, sectionOf } from "../core/selectors.js";
import { enable, h, onPress, setAttribute, show } from "./dom.js";
import { button } from "./parts.js";

/** The most that the desk API takes at once. */
const MAX_PUSHED = 200;

/**
 * @param {Words} words
 * @param {{ onBefall: (command: "expire" | "sign-in-elsewhere") => void, onPush: (count: number) => void }} intents
 */
export function createActions(words, { onBefall, onPush }) {
  const count = h("input", { id: "push-count", class: "input input-small", type: "number", min: 1, max: MAX_PUSHED, step: 1, "aria-label": words.actions.pushCount });
  count.value = "30";
  const push = button(words.actions.push, "normal");
  const expire = button(words.actions.expire, "normal");
  const elsewhere = button(words.actions.elsewhere, "normal");
  const pushing = action(words.actions.pushHelp, count, push);
  const expiring = action(words.actions.expireHelp, expire);
  const signing = action(words.actions.elsewhereHelp, elsewhere);
  const element = h("section", {}, h("h3", { class: "section-title" }, words.actions.title), h("ul", { class: "actions" }, pushing, expiring, signing));

  onPress(push, () => {
    const isFit = Number.isInteger(count.valueAsNumber) && count.valueAsNumber >= 1 && count.valueAsNumber <= MAX_PUSHED;
    setAttribute(count, "aria-invalid", isFit ? undefined : "true");
    if (isFit) onPush(count.valueAsNumber);
    else count.focus();
  });
  onPress(expire, () => onBefall("expire"));
  onPress(elsewhere, () => onBefall("sign-in-elsewhere"));

  return {
    element,
    /** @param {Model} model @param {Conversation} conversation */
    update({ state }, conversation) {
      show(element, conversation.stage !== "ended");
      enable(push, isOnline(state) && sectionOf(conversation, state.work.meId) === "mine");
      enable(expire, isOnline(state));
      enable(elsewhere, isOnline(state));
      show(signing, conversation.protocol === "web-messaging");
    },
  };
}

/** @param {string} help @param {...Node} controls */
function action(help, ...controls) {
  return h("li", { class: "action" }, h("div", { class: "action-controls" }, ...controls), h("p", { class: "fault-help" }, help));
}
