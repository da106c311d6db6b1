/**
 * The first view: who sits at the desk in this tab.
 *
 * @import { Problem } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { isOnline } from "../core/selectors.js";
import { enable, h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { problemWords } from "./banner.js";
import { icon } from "./icons.js";
import { button } from "./parts.js";

/**
 * @param {Words} words
 * @param {{ onSignIn: (name: string) => void }} intents
 */
export function createSignIn(words, { onSignIn }) {
  /** @type {Problem | undefined} */
  let shownProblem;
  const field = h("input", { id: "sign-in-name", class: "input", "aria-describedby": "sign-in-message", autocomplete: "nickname", maxlength: 64, enterkeyhint: "go" });
  const submit = button(words.signIn.submit, "loud");
  submit.type = "submit";
  const message = h("p", { id: "sign-in-message", class: "sign-in-message" });
  const seats = h("ul", { class: "seats" });
  const existing = h("section", { class: "sign-in-existing" }, h("h2", {}, words.signIn.existing), seats);
  const form = h(
    "form",
    { class: "sign-in-form", novalidate: true },
    h("label", { for: field.id }, words.signIn.name),
    h("div", { class: "sign-in-row" }, field, submit),
    message,
  );
  const element = h(
    "main",
    { class: "sign-in" },
    h(
      "div",
      { class: "sign-in-card" },
      h("p", { class: "brand" }, icon("wire", "brand-mark"), words.product, h("span", { class: "brand-place" }, words.title)),
      h("h1", {}, words.signIn.heading),
      h("p", { class: "quiet" }, words.signIn.lead),
      form,
      existing,
    ),
  );

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-disabled") === "true") return;
    const name = field.value.trim();
    setText(message, name ? "" : words.signIn.nameMissing);
    setAttribute(field, "aria-invalid", name ? undefined : "true");
    if (name) onSignIn(name);
    else field.focus();
  });

  return {
    element,
    focus: () => field.focus(),
    /** @param {Model} model */
    update({ state }) {
      const online = isOnline(state);
      enable(submit, online);
      const { problem } = state.work;
      if (problem !== shownProblem) setText(message, problem ? problemWords(problem, words) : "");
      shownProblem = problem;
      setText(/** @type {Node} */ (submit.lastChild), online ? words.signIn.submit : words.signIn.connecting);
      const agents = state.desk.agents.filter((one) => !one.isDemo);
      show(existing, agents.length > 0);
      syncChildren(
        seats,
        agents,
        (agent) => agent.id,
        (agent) => {
          const seat = h("button", { type: "button", class: "seat" }, h("span", { class: "seat-name", dir: "auto" }, agent.name), h("span", { class: "seat-state" }));
          onPress(seat, () => onSignIn(agent.name));
          return h("li", {}, seat);
        },
        (item, agent) => {
          const seat = /** @type {HTMLElement} */ (item.firstElementChild);
          enable(seat, online);
          setAttribute(seat, "data-on", agent.onQueue);
          setText(/** @type {Node} */ (seat.lastChild), agent.onQueue ? words.signIn.onQueue : words.signIn.offQueue);
        },
      );
    },
  };
}
