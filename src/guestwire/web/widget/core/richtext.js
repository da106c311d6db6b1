/**
 * Text to a tree: the dialect of web-messaging §6, and bare links. Elements draw the tree with DOM nodes, so no text ever
 * becomes markup. The desk draws with this too, so it imports nothing.
 *
 * Theory of operation. First the text becomes atoms, from the left: an escaped character, code, a link, a delimiter, or the
 * text in between; so nothing inside code or an address is ever taken for a delimiter. Then pairs of delimiters become
 * nodes, and what stands between them is looked at again. Where the dialect is odd we differ on purpose: code is literal, and
 * `*` and `~` want something other than a space just inside, so `5 * 3 * 2` stays as it is.
 */

/**
 * @typedef {{ type: "text", text: string }} TextNode
 * @typedef {{ type: "code" | "code-block", text: string }} CodeNode
 * @typedef {{ type: "link", href: string, title?: string, children: RichNode[] }} LinkNode
 * @typedef {{ type: "bold" | "italic" | "strike" | "mark", children: RichNode[] }} SpanNode
 * @typedef {TextNode | CodeNode | LinkNode | SpanNode} RichNode
 */

const ALLOWED_SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);

/**
 * Return `text` as a safe absolute URL; undefined when it is none or has a scheme that may not be followed. Every URL
 * that reaches an attribute passes here.
 *
 * @param {unknown} text
 * @param {string} [base] What a relative one is relative to.
 * @returns {string | undefined}
 */
export function safeUrl(text, base) {
  if (typeof text !== "string" || !text || !URL.canParse(text, base)) return undefined;
  const url = new URL(text, base);
  return ALLOWED_SCHEMES.has(url.protocol) ? url.href : undefined;
}

/**
 * The same for pictures and files: only what is fetched, http and https.
 *
 * @param {unknown} text
 * @param {string} [base]
 * @returns {string | undefined}
 */
export function safeImageUrl(text, base) {
  const url = safeUrl(text, base);
  return url?.startsWith("http") ? url : undefined;
}

// One pass, no nested repetition, so that no text makes it slow. In order: URLs with a scheme, bare www., mail addresses.
// Characters that turn the direction end a link: it must read as where it leads.
const LINK = /\b(?:https?:\/\/|mailto:|tel:\+?|www\.)[^\s<>"'`\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]+|[\w.%+-]{1,64}@[a-z\d-]{1,63}(?:\.[a-z\d-]{1,63}){1,8}/giu;
const MAIL = /^[^:/]+@/u;
const TRAILING = new Set(".,;:!?…»”’*_~");
const PAIRS = new Map([[")", "("], ["]", "["], ["}", "{"]]);

const ESCAPABLE = /[!-/:-@[-`{-~]/u;
/** `[text](address "title")`; the bounds keep many beginnings without an end from being slow. */
const NAMED_LINK = /\[((?:\\.|[^[\]\\]){1,1000})\]\(((?:[^\s()]|\([^\s()]{0,500}\)){1,2000}?)(?:\s{1,9}"([^"]{0,500})")?\)/uy;
/** What can begin an atom; `=` only twice. */
const SPECIAL = /[\\`*_~[\n]|==/gu;
const WORD = /[\p{L}\p{N}]/u;

/** @type {Record<string, SpanNode["type"]>} */
const SPANS = { "*": "bold", _: "italic", "~": "strike", "==": "mark" };

/** Deeper than four kinds of delimiters can nest in earnest. */
const MAX_DEPTH = 8;

/**
 * @typedef {object} Dialect
 * @property {boolean} [markdown] Whether the dialect is on; else there are bare links only.
 * @property {boolean} [isOutbound] Whether somebody else than the guest wrote it: they can highlight.
 * @property {boolean} [escapes] Whether a backslash takes the next character's meaning; the platform does so also without the dialect.
 */

/** @typedef {{ mark: string } | { node: Exclude<RichNode, SpanNode> }} Atom */

/**
 * Parse a message's text.
 *
 * @param {string} text
 * @param {Dialect} [dialect]
 * @returns {RichNode[]} Adjacent text nodes are one.
 */
export function parseRichText(text, { markdown = false, isOutbound = false, escapes = markdown } = {}) {
  return spansOf(atomsOf(text, { markdown, isOutbound, escapes, links: true }), 0);
}

/**
 * @param {RichNode[]} nodes
 * @returns {string} What of it is read aloud.
 */
export function plainText(nodes) {
  return nodes.map((node) => ("children" in node ? plainText(node.children) : node.text)).join("");
}

/**
 * @param {string} text
 * @param {{ markdown: boolean, isOutbound: boolean, escapes: boolean, links: boolean }} options
 * @returns {Atom[]}
 */
function atomsOf(text, options) {
  const { markdown, isOutbound, escapes, links } = options;
  /** @type {Atom[]} */
  const atoms = [];
  const bare = links ? bareLinks(text) : [];
  const hasFence = { "`": true, "```": true };
  let end = 0;
  let nextLink = 0;
  /** @param {number} from @param {Atom} atom @param {number} length */
  const add = (from, atom, length) => {
    if (from > end) atoms.push({ node: { type: "text", text: text.slice(end, from) } });
    atoms.push(atom);
    end = from + length;
  };
  /** @param {number} limit */
  const addLinks = (limit) => {
    for (; nextLink < bare.length && bare[nextLink].index < limit; nextLink += 1) {
      const { index, shown, href } = bare[nextLink];
      if (index >= end) add(index, { node: { type: "link", href, children: [{ type: "text", text: shown }] } }, shown.length);
    }
  };
  for (const { 0: mark, index } of text.matchAll(SPECIAL)) {
    addLinks(index);
    if (index < end) continue;
    if (mark === "\\") {
      const next = text[index + 1];
      if (escapes && next && ESCAPABLE.test(next)) add(index, { node: { type: "text", text: next } }, 2);
    } else if (!markdown) {
      continue;
    } else if (mark === "`") {
      const fence = text.startsWith("```", index) ? "```" : "`";
      // Exactly one or three, and closed.
      const close = hasFence[fence] ? text.indexOf(fence, index + fence.length) : -1;
      if (close < 0) hasFence[fence] = false;
      else if (fence === "```") add(index, { node: { type: "code-block", text: text.slice(index + 3, close).replace(/^\n|\n$/gu, "") } }, close + 3 - index);
      else if (close > index + 1) add(index, { node: { type: "code", text: withoutPadding(text.slice(index + 1, close)) } }, close + 1 - index);
    } else if (mark === "[") {
      const link = links && text[index - 1] !== "!" ? namedLink(text, index, options) : undefined;
      if (link) add(index, { node: link.node }, link.length);
    } else if (mark !== "==" || isOutbound) {
      add(index, { mark }, mark.length);
    }
  }
  addLinks(text.length);
  if (end < text.length) atoms.push({ node: { type: "text", text: text.slice(end) } });
  return atoms;
}

/**
 * @param {string} text
 * @param {number} index
 * @param {{ markdown: boolean, isOutbound: boolean, escapes: boolean, links: boolean }} options
 * @returns {{ node: LinkNode, length: number } | undefined}
 */
function namedLink(text, index, options) {
  NAMED_LINK.lastIndex = index;
  const match = NAMED_LINK.exec(text);
  const href = match && safeUrl(match[2]);
  if (!href) return undefined;
  const children = spansOf(atomsOf(match[1], { ...options, links: false }), 1);
  return { node: { type: "link", href, ...(match[3] && { title: match[3] }), children }, length: match[0].length };
}

/**
 * @param {string} text
 * @returns {{ index: number, shown: string, href: string }[]}
 */
function bareLinks(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = withoutTrailing(match[0]);
    const href = safeUrl(shown) ?? (MAIL.test(shown) ? safeUrl(`mailto:${shown}`) : safeUrl(`http://${shown}`));
    // "mailto:" and "tel:" with nothing behind them, "www." alone.
    if (!href || /(?::|www\.)\/*$/iu.test(shown) || match.index < end) continue;
    found.push({ index: match.index, shown, href });
    end = match.index + shown.length;
  }
  return found;
}

/**
 * @param {Atom[]} atoms
 * @param {number} depth
 * @returns {RichNode[]}
 */
function spansOf(atoms, depth) {
  /** @type {RichNode[]} */
  const nodes = [];
  /** @param {RichNode} node */
  const add = (node) => {
    const last = nodes.at(-1);
    if (node.type === "text" && last?.type === "text") nodes[nodes.length - 1] = { type: "text", text: last.text + node.text };
    else nodes.push(node);
  };
  /** Mark → up to where it has no partner: nobody looks again. @type {Map<string, number>} */
  const single = new Map();
  for (let at = 0; at < atoms.length; at += 1) {
    const atom = atoms[at];
    if ("node" in atom) {
      add(atom.node);
      continue;
    }
    const { mark } = atom;
    const close = SPANS[mark] && depth < MAX_DEPTH && at >= (single.get(mark) ?? 0) && canOpen(atoms, at) ? closeOf(atoms, at, single) : -1;
    if (close < 0) {
      add({ type: "text", text: mark });
    } else {
      add({ type: SPANS[mark], children: spansOf(atoms.slice(at + 1, close), depth + 1) });
      at = close;
    }
  }
  return nodes;
}

/**
 * @param {Atom[]} atoms
 * @param {number} at
 */
function canOpen(atoms, at) {
  const { mark } = /** @type {{ mark: string }} */ (atoms[at]);
  const after = edgeOf(atoms[at + 1], 0);
  if (!after || isMark(atoms[at + 1], mark) || /\s/u.test(after)) return false;
  return mark !== "_" || !WORD.test(edgeOf(atoms[at - 1], -1));
}

/**
 * @param {Atom[]} atoms
 * @param {number} open
 * @param {Map<string, number>} single
 * @returns {number} -1 when it is not closed.
 */
function closeOf(atoms, open, single) {
  const { mark } = /** @type {{ mark: string }} */ (atoms[open]);
  let at = open + 1;
  // Italics keep to one line.
  for (; at < atoms.length && !(mark === "_" && isMark(atoms[at], "\n")); at += 1) {
    const isClose = at > open + 1 && isMark(atoms[at], mark) && !/\s/u.test(edgeOf(atoms[at - 1], -1));
    if (isClose && (mark !== "_" || !WORD.test(edgeOf(atoms[at + 1], 0)))) return at;
  }
  single.set(mark, at);
  return -1;
}

/**
 * @param {Atom | undefined} atom
 * @param {string} mark
 */
function isMark(atom, mark) {
  return atom !== undefined && "mark" in atom && atom.mark === mark;
}

/**
 * @param {Atom | undefined} atom
 * @param {0 | -1} end
 * @returns {string} Its first or last character; "" when there is no atom.
 */
function edgeOf(atom, end) {
  if (!atom) return "";
  const text = "mark" in atom ? atom.mark : plainText([atom.node]);
  return text.at(end) ?? "";
}

/**
 * One space on each side is there to keep the backticks apart.
 *
 * @param {string} code
 */
function withoutPadding(code) {
  return code.length > 2 && code.startsWith(" ") && code.endsWith(" ") ? code.slice(1, -1) : code;
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
