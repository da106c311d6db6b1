/**
 * The style sheets, fetched once per page and shared by every shadow root. Constructed sheets need no `unsafe-inline`,
 * and no style element of ours is ever in the host page.
 */

const FILES = ["tokens", "base", "frame", "transcript", "composer"];

/** @type {Promise<CSSStyleSheet[]> | undefined} */
let sheets;

/**
 * @returns {Promise<CSSStyleSheet[]>} In the order of the cascade. A sheet that can't be had is empty: an unstyled chat
 *   is better than none.
 */
export function loadStyles() {
  return (sheets ??= Promise.all(FILES.map(loadSheet)));
}

/** @param {string} name */
async function loadSheet(name) {
  const sheet = new CSSStyleSheet();
  try {
    const response = await fetch(new URL(`../css/${name}.css`, import.meta.url), { credentials: "omit" });
    if (response.ok) sheet.replaceSync(await response.text());
  } catch {
    // See above.
  }
  return sheet;
}
