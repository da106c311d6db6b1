/**
 * What this tab remembers over a reload: who sits here, drafts, what was read. Another tab is another agent.
 */

const PREFIX = "guestwire-desk.";

/**
 * @param {string} key
 * @returns {string | undefined} Undefined also where the browser keeps nothing.
 */
export function recall(key) {
  try {
    return sessionStorage.getItem(PREFIX + key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} key @param {string | undefined} value Undefined forgets. */
export function keep(key, value) {
  try {
    if (value === undefined) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, value);
  } catch {
    // Storage is full or forbidden: the page works without.
  }
}

/** @param {string} key @returns {[string, string][]} */
export function recallPairs(key) {
  try {
    const value = JSON.parse(recall(key) ?? "[]");
    return Array.isArray(value) ? value.filter(isPair) : [];
  } catch {
    return [];
  }
}

/** @param {unknown} value @returns {value is [string, string]} */
function isPair(value) {
  return Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === "string");
}

/** @param {string} key @param {Iterable<[string, string]>} pairs */
export function keepPairs(key, pairs) {
  keep(key, JSON.stringify([...pairs]));
}
