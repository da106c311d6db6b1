/**
 * Text to a tree. Elements draw the tree with DOM nodes, so no text ever becomes markup.
 *
 * So far a tree has text and links. Bold, code and the rest are further node types with `children`, made here and drawn
 * in elements/rich-text.js; nothing else has to know them.
 */

/**
 * @typedef {{ type: "text", text: string }} TextNode
 * @typedef {{ type: "link", href: string, children: RichNode[] }} LinkNode
 * @typedef {TextNode | LinkNode} RichNode
 */

const ALLOWED_SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);

/**
 * Return `text` as a safe absolute URL; undefined when it is none or has a scheme that may not be followed. Every URL
 * that reaches an attribute passes here.
 *
 * @param {unknown} text
 * @returns {string | undefined}
 */
export function safeUrl(text) {
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return ALLOWED_SCHEMES.has(url.protocol) ? url.href : undefined;
}

/**
 * The same for pictures: only what is fetched, http and https.
 *
 * @param {unknown} text
 * @returns {string | undefined}
 */
export function safeImageUrl(text) {
  const url = safeUrl(text);
  return url?.startsWith("http") ? url : undefined;
}

// One pass, no nested repetition, so that no text makes it slow. In order: URLs with a scheme, bare www., mail addresses.
// Characters that turn the direction end a link: it must read as where it leads.
const LINK = /\b(?:https?:\/\/|mailto:|tel:\+?|www\.)[^\s<>"'`\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]+|[\w.%+-]{1,64}@[a-z\d-]{1,63}(?:\.[a-z\d-]{1,63}){1,8}/giu;
const MAIL = /^[^:/]+@/u;
const TRAILING = new Set(".,;:!?…»”’*_~");
const PAIRS = new Map([[")", "("], ["]", "["], ["}", "{"]]);

/**
 * Parse a message's text.
 *
 * @param {string} text
 * @returns {RichNode[]} Adjacent text nodes are one; their text and the links' text together are `text`.
 */
export function parseRichText(text) {
  /** @type {RichNode[]} */
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = withoutTrailing(match[0]);
    const href = safeUrl(shown) ?? (MAIL.test(shown) ? safeUrl(`mailto:${shown}`) : safeUrl(`http://${shown}`));
    // "mailto:" and "tel:" with nothing behind them, "www." alone.
    if (!href || /(?::|www\.)\/*$/iu.test(shown) || match.index < end) continue;
    if (match.index > end) nodes.push({ type: "text", text: text.slice(end, match.index) });
    nodes.push({ type: "link", href, children: [{ type: "text", text: shown }] });
    end = match.index + shown.length;
  }
  if (end < text.length) nodes.push({ type: "text", text: text.slice(end) });
  return nodes;
}

/**
 * Leave out what belongs to the sentence: full stops, and closing brackets that were not opened inside.
 *
 * @param {string} url
 */
function withoutTrailing(url) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const character of url) counts.set(character, (counts.get(character) ?? 0) + 1);
  let { length } = url;
  for (; length > 0; length -= 1) {
    const last = url[length - 1];
    const opening = PAIRS.get(last);
    const count = counts.get(last) ?? 0;
    if (opening ? count <= (counts.get(opening) ?? 0) : !TRAILING.has(last)) break;
    counts.set(last, count - 1);
  }
  return url.slice(0, length);
}
