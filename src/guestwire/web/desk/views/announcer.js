/**
 * The one region that speaks. It is in the page before its first words and keeps only the last few.
 */

import { h } from "./dom.js";

const KEPT = 4;

/** @returns {{ element: HTMLElement, say: (text: string) => void }} */
export function createAnnouncer() {
  const element = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite", "aria-relevant": "additions" });
  return {
    element,
    say(text) {
      element.append(h("p", {}, text));
      while (element.childElementCount > KEPT) element.firstElementChild?.remove();
    },
  };
}
