/** The picture of somebody, or what stands for it. */

import { safeImageUrl } from "../core/richtext.js";
import { el, icon } from "./dom.js";
import { initialOf } from "./view.js";

/**
 * @param {object} who
 * @param {string} who.name
 * @param {string} [who.url] Untrusted.
 * @param {boolean} [who.isBot]
 * @returns {(Node | string)[]} The first letter or an icon until the picture is there, and where it can't be had.
 */
export function drawAvatar({ name, url, isBot = false }) {
  const initial = initialOf(name);
  const stand = isBot ? icon("bot") : initial || icon("wire");
  const src = safeImageUrl(url);
  if (!src) return [stand];
  const image = el("img", { class: "avatar-image", alt: "", decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove(), { once: true });
  image.src = src;
  return [stand, image];
}
