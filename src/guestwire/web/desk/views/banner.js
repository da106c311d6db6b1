/**
 * Two strips under the bar: the connection is lost, and the last refusal of the API. The announcer says them.
 *
 * @import { Problem } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { h, onPress, setText, show } from "./dom.js";
import { icon } from "./icons.js";
import { button, iconButton } from "./parts.js";

/**
 * @param {Words} words
 * @param {{ onRetryNow: () => void }} intents
 */
export function createLinkBanner(words, { onRetryNow }) {
  const text = h("span");
  const countdown = h("span", { class: "countdown" });
  const retry = button(words.link.retryNow, "normal");
  const element = h("section", { class: "banner banner-link", "aria-label": words.link.label, hidden: true }, icon("fault"), h("p", {}, text, " ", countdown), retry);
  onPress(retry, onRetryNow);
  return {
    element,
    /** @param {Model} model */
    update({ state, now, format }) {
      const { status, retryAt } = state.work.link;
      const isLost = status === "lost";
      show(element, isLost);
      setText(text, isLost ? words.link.lost : "");
      const seconds = Math.ceil(((retryAt ?? now) - now) / 1000);
      setText(countdown, !isLost ? "" : seconds > 0 ? words.link.retryIn(format.number(seconds)) : words.link.retrying);
    },
  };
}

/**
 * @param {Words} words
 * @param {{ onDismiss: () => void }} intents
 */
export function createProblemBanner(words, { onDismiss }) {
  const text = h("p");
  const dismiss = iconButton("close", words.problem.dismiss);
  const element = h("section", { class: "banner banner-problem", "aria-label": words.problem.label, hidden: true }, icon("fault"), text, dismiss);
  onPress(dismiss, onDismiss);
  return {
    element,
    /** @param {Model} model */
    update({ state }) {
      const { problem } = state.work;
      show(element, problem !== undefined);
      setText(text, problem ? problemWords(problem, words) : "");
    },
  };
}

/** @param {Problem} problem @param {Words} words @returns {string} What happened, and what to do. */
export function problemWords(problem, words) {
  if (problem.code === "bad-request" && problem.message) return words.problem.badRequest(problem.message);
  return words.problem.byCode[problem.code] ?? words.problem.other(problem.message ?? problem.code);
}
