/**
 * What the host hands down to its parts, as their `view` property, after every change.
 */

/** @import { UiState } from "../core/state.js" */
/** @import { Dialect } from "../core/richtext.js" */
/** @import { Words } from "../core/words.js" */

import { withoutTurns } from "../core/words.js";

/**
 * @typedef {object} View
 * @property {UiState} state
 * @property {Words} words
 * @property {number} now Epoch milliseconds.
 * @property {string} heading
 * @property {number} maxTextBytes
 * @property {string} base The gateway's address, ends with "/".
 * @property {Dialect} dialect How text is read; the same object while it is the same.
 */

/**
 * How a participant is called in words.
 *
 * @param {Words} words
 * @param {string} from
 * @param {string} [name]
 */
export function nameOf(words, from, name) {
  const plain = withoutTurns(name ?? "").trim();
  if (plain) return plain;
  const key = `from.${from}`;
  return words.has(key) ? words.say(key) : withoutTurns(from);
}

/**
 * @param {string} name
 * @returns {string} Its first letter, as people see letters.
 */
export function initialOf(name) {
  const [first] = new Intl.Segmenter().segment(withoutTurns(name).trim());
  return (first?.segment ?? "").toLocaleUpperCase();
}
