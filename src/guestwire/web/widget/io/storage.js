/** What this tab remembers. Storage may be missing, full or forbidden: then it remembers nothing, and that is no error. */

const PREFIX = "guest-chat:";

/**
 * @param {string} key
 * @returns {string} "" when there is nothing.
 */
export function recall(key) {
  try {
    return sessionStorage.getItem(PREFIX + key) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {string} key
 * @param {string} value "" forgets it.
 */
export function remember(key, value) {
  try {
    if (value) sessionStorage.setItem(PREFIX + key, value);
    else sessionStorage.removeItem(PREFIX + key);
  } catch {
    // See above.
  }
}
