/**
 * Small things that several views draw alike.
 *
 * @import { Conversation, Guest, Sender, State } from "../core/types.js"
 * @import { Format } from "../core/format.js"
 * @import { Words } from "../locales/en.js"
 * @import { IconName } from "./icons.js"
 */

import { initials, tint } from "../core/selectors.js";
import { h, onPress, setAttribute, setText } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {{ now: number, words: Words, format: Format }} Drawing What content is drawn with. */
/** @typedef {{ state: State } & Drawing} Model What every view draws from. */

/** How many tints of avatar `list.css` knows. */
const TINTS = 6;

/** @param {Guest} guest @param {Words} words */
export function guestName(guest, words) {
  return guest.name || guest.email || words.guest.unnamed;
}

/** @returns {HTMLElement} */
export function avatar() {
  return h("span", { class: "avatar", "aria-hidden": "true" }, h("span", { class: "avatar-letters" }));
}

/** @param {HTMLElement} node @param {Conversation} conversation @param {Words} words */
export function updateAvatar(node, conversation, words) {
  setText(/** @type {Node} */ (node.firstChild), initials(conversation.guest) || words.guest.unnamed.charAt(0));
  setAttribute(node, "data-tint", tint(conversation.guest.externalContactId ?? conversation.id, TINTS));
  setAttribute(node, "data-presence", conversation.stage !== "ended" && conversation.connections > 0 ? "on" : "off");
}

/**
 * @param {IconName} name
 * @param {string} label The accessible name, and the tooltip.
 * @param {string} [className]
 */
export function iconButton(name, label, className = "") {
  return h("button", { type: "button", class: `icon-button ${className}`.trim(), "aria-label": label, title: label }, icon(name));
}

/**
 * @param {string} label
 * @param {"loud" | "normal" | "quiet" | "danger"} quality
 * @param {IconName} [iconName]
 */
export function button(label, quality, iconName) {
  return h(
    "button",
    { type: "button", class: `button button-${quality}` },
    iconName && icon(iconName),
    h("span", { class: "button-label" }, label),
  );
}

/** @param {string} id @returns {HTMLButtonElement} A switch, named by what `${id}-title` says and explained by `${id}-help`. */
export function createToggle(id) {
  return h(
    "button",
    { type: "button", id, class: "fault-switch", role: "switch", "aria-checked": "false", "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-help` },
    h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "thumb" })),
  );
}

/** @param {string} label @param {() => Promise<boolean>} copy @returns {HTMLButtonElement} It shows for a moment that it has copied. */
export function createCopy(label, copy) {
  const press = iconButton("copy", label, "copy");
  onPress(press, async () => {
    if (!(await copy())) return;
    press.replaceChildren(icon("check"));
    setTimeout(() => press.replaceChildren(icon("copy")), 1500);
  });
  return press;
}

/** @param {Sender} from @param {string | undefined} name @param {Words} words */
export function senderName(from, name, words) {
  return name || words.from[from] || from;
}
