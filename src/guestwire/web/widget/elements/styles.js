/**
 * The style sheets, fetched once per page and shared by every shadow root. Constructed sheets need no `unsafe-inline`,
 * and no style element of ours is ever in the host page.
 */

const FILES = ["tokens", "base", "frame", "transcript", "composer"];

/** A request takes at most this long; then the chat is shown without. */
const LIMIT_MS = 10_000;

/** @type {Promise<CSSStyleSheet[]> | undefined} */
let sheets;

/**
 * @returns {Promise<CSSStyleSheet[]>} In the order of the cascade. A sheet that can't be had is left out: an unstyled
 *   chat is better than none. It is asked for again the next time.
 */
export function loadStyles() {
  return (sheets ??= loadAll());
}

async function loadAll() {
  const loaded = await Promise.all(FILES.map(async (name) => (await loadSheet(name)) ?? loadSheet(name)));
  const had = loaded.filter((sheet) => sheet !== undefined);
  if (had.length < FILES.length) sheets = undefined;
  return had;
}

/** Those that were fetched on need. @type {Map<string, CSSStyleSheet>} */
const others = new Map();

/**
 * Give a shadow root a sheet that it needs from now on.
 *
 * @param {Node} place Something in it.
 * @param {string} name
 */
export async function adoptSheet(place, name) {
  const sheet = others.get(name) ?? (await loadSheet(name));
  const root = place.getRootNode();
  if (!sheet || !(root instanceof ShadowRoot)) return;
  others.set(name, sheet);
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/** The colour of a deployment. @type {WeakMap<ShadowRoot, CSSStyleSheet>} */
const colours = new WeakMap();

/**
 * Take on the deployment's colour, where the page says nothing else: its rules for the element win over ours.
 *
 * @param {ShadowRoot} root
 * @param {string} [colour] As "#rrggbb".
 */
export function paint(root, colour) {
  const known = colours.get(root);
  if (!colour && !known) return;
  const sheet = known ?? new CSSStyleSheet();
  colours.set(root, sheet);
  // Black or white, whichever can be read better on it.
  const [red, green, blue] = [1, 3, 5].map((at) => (Number.parseInt(colour?.slice(at, at + 2) ?? "0", 16) / 255) ** 2.2);
  const text = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
  sheet.replaceSync(colour ? `@layer tokens { :host { --guest-chat-accent-normal: ${colour}; --guest-chat-accent-text: ${text}; } }` : "");
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/**
 * @param {string} name
 * @returns {Promise<CSSStyleSheet | undefined>}
 */
async function loadSheet(name) {
  try {
    // With the default credentials, or the page's preload would not be taken.
    const response = await fetch(new URL(`../css/${name}.css`, import.meta.url), { signal: AbortSignal.timeout(LIMIT_MS) });
    if (!response.ok) return undefined;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(await response.text());
    return sheet;
  } catch {
    return undefined;
  }
}
