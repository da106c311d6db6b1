/**
 * The one region that speaks. It is mounted before its first text, apart from the log, and says everything once, in order.
 */

/** @import { Announcement } from "../core/store.js" */
/** @import { Words } from "../core/words.js" */

import { el } from "./dom.js";
import { nameOf } from "./view.js";

/** Older lines are taken away again, so that nobody comes across them while browsing. */
const KEPT_LINES = 4;

export class Announcer {
  #spoken = 0;
  element = el("div", { class: "announcer", part: "announcer", "aria-live": "polite" });

  /**
   * @param {Announcement[]} announcements
   * @param {Words} words
   */
  say(announcements, words) {
    for (const announcement of announcements) {
      if (announcement.n <= this.#spoken) continue;
      this.#spoken = announcement.n;
      this.element.append(el("p", {}, sentence(announcement, words)));
    }
    while (this.element.childElementCount > KEPT_LINES) this.element.firstElementChild?.remove();
  }
}

/**
 * @param {Announcement} announcement
 * @param {Words} words
 * @returns {string}
 */
function sentence({ what, name, from, text, code }, words) {
  switch (what) {
    case "said":
      return words.say("say.message", { name: nameOf(words, from ?? "", name), text: text ?? "" });
    case "connected":
    case "reconnecting":
      return words.say(`say.${what}`);
    case "error":
      return errorWords(words, code ?? "unknown", text).join(" ");
    default:
      return words.say(`notice.${what}`, { name: name ?? words.say("someone") });
  }
}

/**
 * What happened and what to do, for an error's code; a code without words of ours shows the other side's.
 *
 * @param {Words} words
 * @param {string} code
 * @param {string} [text]
 * @returns {[title: string, next: string]}
 */
export function errorWords(words, code, text) {
  if (words.has(`error.${code}`)) return [words.say(`error.${code}`), words.say(`next.${code}`)];
  return [text || words.say("error.unknown"), words.say("next.unknown", { code })];
}
