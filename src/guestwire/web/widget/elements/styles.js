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
