/**
 * The one region that speaks. It is mounted before its first text, apart from the log, and says everything once, in order.
 */

/** @import { Announcement } from "../core/state.js" */
/** @import { ContentItem } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

import { CLOCK } from "../io/clock.js";
import { el } from "./dom.js";
import { contentWords } from "./rich-content.js";
import { nameOf } from "./view.js";

/** A line is taken away after this, so that nobody comes across it while browsing. */
const LINE_MS = 5_000;

export class Announcer {
  element = el("div", { class: "announcer", part: "announcer", "aria-live": "polite" });

  /**
   * @param {Announcement} announcement
   * @param {Words} words
   */
  say(announcement, words) {
    this.sayText(sentence(announcement, words));
  }

  /** @param {string} text */
  sayText(text) {
    const line = el("p", {}, text);
    this.element.append(line);
    CLOCK.setTimer(() => line.remove(), LINE_MS);
  }
}

/**
 * @param {Announcement} announcement
 * @param {Words} words
 * @returns {string}
 */
function sentence({ what, name, from, text, code, content = [] }, words) {
  switch (what) {
    case "said":
    case "late":
      return words.say(what === "late" ? "say.late" : "say.message", { name: nameOf(words, from ?? "", name), text: text || inWords(content, words) });
    case "connected":
      return words.say("say.connected");
    case "failed":
    case "unconfirmed":
      return words.say(`say.${what}`, { text: text ?? "" });
    case "error":
      return errorWords(words, code ?? "unknown", text).join(" ");
    default:
      return words.say(`notice.${what}`, { name: name || words.say("someone") });
  }
}

/**
 * @param {ContentItem[]} content Of a message without text.
 * @param {Words} words
 */
function inWords(content, words) {
  const { titles, choices } = contentWords(content);
  const said = choices.length ? [words.say("say.choices", { n: choices.length, list: choices.join(", ") })] : [];
  return [...titles, ...said].join(". ") || words.say("content.unknown");
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
