/**
 * Text from peers, cut into plain and linked pieces; and the one place that decides which URLs may be followed.
 */

const SAFE_SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);
const URL_PATTERN = /\bhttps?:\/\/[^\s<>"]+[^\s<>".,;:!?'()[\]{}]/giu;

/**
 * @param {string | undefined} value
 * @returns {string | undefined} The URL, if it is absolute and of a scheme that may be followed.
 */
export function safeUrl(value) {
  if (!value || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return SAFE_SCHEMES.has(url.protocol) ? url.href : undefined;
}

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
 * @returns {{ text: string, url?: string }[]}
 */
export function linked(text) {
  /** @type {{ text: string, url?: string }[]} */
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(URL_PATTERN)) {
    const url = safeUrl(match[0]);
    if (!url) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push({ text: match[0], url });
    end = match.index + match[0].length;
  }
  if (end < text.length || pieces.length === 0) pieces.push({ text: text.slice(end) });
  return pieces;
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
