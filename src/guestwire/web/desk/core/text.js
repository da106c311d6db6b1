/**
 * Text from peers: the chat's own parser and its one list of URLs that may be followed, and what the desk adds.
 */

import { parseRichText, safeUrl } from "../../widget/core/richtext.js";

export { parseRichText, safeUrl } from "../../widget/core/richtext.js";

/** @typedef {import("../../widget/core/richtext.js").RichNode} RichNode */

/**
 * @param {string | undefined} value
 * @returns {string | undefined} A URL an `<img>` may load: http(s), or a path of this site.
 */
export function imageUrl(value) {
  if (!value) return undefined;
  if (/^\/(?!\/)/u.test(value)) return value;
  const url = safeUrl(value);
  return url && /^https?:/u.test(url) ? url : undefined;
}

/**
 * @param {string} text
 * @param {{ markdown: boolean, isOutbound: boolean }} options
 * @returns {string} The text without its marks, for one line of it.
 */
export function plainText(text, options) {
  return parseRichText(text, options).map(wordsOf).join("");
}

/** @param {RichNode} node @returns {string} */
function wordsOf(node) {
  return "children" in node ? node.children.map(wordsOf).join("") : node.text;
}

/**
 * A fault's parameter name, taken apart: `delayMs` is "Delay" in "ms".
 *
 * @param {string} name camelCase, a unit last.
 * @returns {{ label: string, unit: string }}
 */
export function paramLabel(name) {
  const words = name.replace(/([a-z0-9])([A-Z])/gu, "$1 $2").split(" ");
  const last = words.at(-1)?.toLowerCase() ?? "";
  const isUnit = words.length > 1 && ["ms", "s", "bytes"].includes(last);
  const label = (isUnit ? words.slice(0, -1) : words).join(" ").toLowerCase();
  return { label: label.charAt(0).toUpperCase() + label.slice(1), unit: isUnit ? last : "" };
}
