/**
 * The one region that speaks. It is mounted before its first text, apart from the log, and says everything once, in order.
 */

/** @import { Announcement } from "../core/state.js" */
/** @import { ContentItem } from "../core/types.js" */
/** @import { Dialect } from "../core/richtext.js" */
/** @import { Words } from "../core/words.js" */

import { contentWords } from "../core/content.js";
import { parseRichText, plainText } from "../core/richtext.js";
import { CLOCK } from "../io/clock.js";
import { queueWords } from "./chat-transcript.js";
import { el } from "./dom.js";
import { nameOf } from "./view.js";

/** A line is taken away after this, so that nobody comes across it while browsing. */
const LINE_MS = 5_000;

export class Announcer {
  element = el("div", { class: "announcer", part: "announcer", "aria-live": "polite" });

  /**
   * @param {Announcement} announcement
   * @param {Words} words
   * @param {Dialect} dialect
   */
  say(announcement, words, dialect) {
    this.sayText(sentence(announcement, words, dialect));
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
 * @param {Dialect} dialect
 * @returns {string}
 */
function sentence({ what, name, from, text = "", code, content = [], queue }, words, dialect) {
  switch (what) {
    case "said":
    case "late": {
      const said = [plainText(parseRichText(text, { ...dialect, isOutbound: true })), content.length ? inWords(content, words) : ""];
      const heard = said.filter(Boolean).join(". ") || words.say("content.unknown");
      return words.say(what === "late" ? "say.late" : "say.message", { name: nameOf(words, from ?? "", name), text: heard });
    }
    case "queue":
      return queueWords(words, queue);
    case "connected":
      return words.say("say.connected");
    case "failed":
    case "unconfirmed":
      return words.say(`say.${what}`, { text });
    case "error":
      return errorWords(words, code ?? "unknown", text).join(" ");
    default:
      return words.say(`notice.${what}`, { name: name || words.say("someone") });
  }
}

/**
 * @param {ContentItem[]} content
 * @param {Words} words
 */
function inWords(content, words) {
  const { titles, choices } = contentWords(content);
  const said = choices.length ? [words.say("say.choices", { n: choices.length, list: choices.join(", ") })] : [];
  return [...titles, ...said].join(". ");
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
