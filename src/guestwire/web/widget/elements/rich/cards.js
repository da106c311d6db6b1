/** Cards: one alone, several as a carousel that scrolls by touch, keys and buttons. */

/** @import { Card, CardAction, CardsBlock } from "../../core/content.js" */
/** @import { Place } from "./draw.js" */

import { answerOf, chosenIn } from "../../core/content.js";
import { el, icon, setAttributes } from "../dom.js";
import { drawLink } from "../rich-text.js";
import { drawImage, send } from "./draw.js";

/**
 * @param {CardsBlock} block
 * @param {Place} place
 */
export function drawCards({ cards }, place) {
  const list = el(
    "div",
    { class: "cards", part: "cards", role: "list", "aria-label": place.words.say("cards"), tabindex: cards.length > 1 && 0 },
    ...cards.map((card) => drawCard(card, place)),
  );
  return cards.length > 1 ? withButtons(list, place) : list;
}

/**
 * @param {HTMLElement} list
 * @param {Place} place
 */
function withButtons(list, { words }) {
  const [back, on] = /** @type {const} */ (["previous", "next"]).map((way) => {
    const name = words.say(`cards.${way}`);
    const button = el("button", { type: "button", class: `slide slide-${way}`, "aria-label": name, title: name }, icon("down"));
    button.addEventListener("click", () => {
      const isRtl = getComputedStyle(list).direction === "rtl";
      const width = list.firstElementChild?.getBoundingClientRect().width ?? 0;
      if (button.ariaDisabled !== "true") list.scrollBy({ left: width * (way === "next" === isRtl ? -1 : 1), behavior: "smooth" });
    });
    return button;
  });
  const frame = el("div", { class: "carousel" }, back, list, on);
  const show = () => {
    const at = Math.abs(list.scrollLeft);
    const end = list.scrollWidth - list.clientWidth;
    setAttributes(frame, { "data-fits": end <= 1 });
    // Not `disabled`: the focus may be on it.
    setAttributes(back, { "aria-disabled": at <= 1 && "true" });
    setAttributes(on, { "aria-disabled": at >= end - 1 && "true" });
  };
  list.addEventListener("scroll", show, { passive: true });
  new ResizeObserver(show).observe(list);
  return frame;
}

/**
 * @param {Card} card
 * @param {Place} place
 */
function drawCard({ title, description, image, href, actions }, place) {
  const chosen = chosenIn(place.answer);
  const buttons = actions.map((action) => drawAction(action, place, chosen));
  return el(
    "div",
    { class: "card", part: "card", role: "listitem", dir: "auto" },
    ...(image ? [drawImage(image, "card-image")] : []),
    el("p", { class: "card-title" }, href ? drawLink(href, title) : title),
    ...(description ? [el("p", { class: "card-text" }, description)] : []),
    ...(buttons.length ? [el("fieldset", { class: "answer card-actions", "aria-label": title }, ...buttons)] : []),
  );
}

/**
 * @param {CardAction} action
 * @param {Place} place
 * @param {Set<string>} chosen
 */
function drawAction(action, { to, words }, chosen) {
  const { text } = action;
  if ("href" in action) {
    const link = drawLink(action.href, text);
    link.className = "button card-action";
    return link;
  }
  const button = el("button", { type: "button", class: "button card-action", part: "card-button", dir: "auto" }, text);
  if (chosen.has(action.payload)) {
    button.dataset.chosen = "";
    button.append(icon("check"), el("span", { class: "hidden-text" }, ` (${words.say("chosen")})`));
  }
  button.addEventListener("click", () => send(button, text, answerOf("Button", [action], to), to));
  return button;
}
