/**
 * The keyboard shortcuts: one table for the key handler and for the help dialog.
 *
 * @typedef {"help" | "accept-next" | "previous" | "next" | "queue" | "list" | "write" | "templates" | "transfer" | "end"
 *   | "deployment" | "faults" | "find"} Command
 * @typedef {{ command: Command, keys: string[], key: string, code?: string, isAlt: boolean }} Shortcut
 * @typedef {{ key: string, code: string, altKey: boolean, ctrlKey: boolean, metaKey: boolean }} KeyPress
 */

/** @type {readonly Shortcut[]} */
export const SHORTCUTS = [
  { command: "accept-next", keys: ["Alt", "A"], key: "a", code: "KeyA", isAlt: true },
  { command: "next", keys: ["Alt", "↓"], key: "ArrowDown", isAlt: true },
  { command: "previous", keys: ["Alt", "↑"], key: "ArrowUp", isAlt: true },
  { command: "write", keys: ["Alt", "W"], key: "w", code: "KeyW", isAlt: true },
  { command: "templates", keys: ["Alt", "R"], key: "r", code: "KeyR", isAlt: true },
  { command: "transfer", keys: ["Alt", "B"], key: "b", code: "KeyB", isAlt: true },
  { command: "end", keys: ["Alt", "X"], key: "x", code: "KeyX", isAlt: true },
  { command: "queue", keys: ["Alt", "Q"], key: "q", code: "KeyQ", isAlt: true },
  { command: "list", keys: ["Alt", "L"], key: "l", code: "KeyL", isAlt: true },
  { command: "deployment", keys: ["Alt", "O"], key: "o", code: "KeyO", isAlt: true },
  { command: "faults", keys: ["Alt", "U"], key: "u", code: "KeyU", isAlt: true },
  { command: "find", keys: ["/"], key: "/", isAlt: false },
  { command: "help", keys: ["?"], key: "?", isAlt: false },
];

/**
 * @param {KeyPress} press
 * @param {boolean} isWriting Whether the focus is in a text field, where plain characters are text.
 * @returns {Command | undefined}
 */
export function commandFor(press, isWriting) {
  if (press.ctrlKey || press.metaKey) return undefined;
  for (const shortcut of SHORTCUTS) {
    if (shortcut.isAlt !== press.altKey || (!shortcut.isAlt && isWriting)) continue;
    if (press.key.toLowerCase() === shortcut.key.toLowerCase()) return shortcut.command;
    // On a Mac, Option with a letter makes another character; only then does the position of the key decide. Not while
    // writing, where that character is text.
    const isLetter = /^[a-z]$/iu.test(press.key);
    if (shortcut.isAlt && !isWriting && shortcut.code === press.code && !isLetter) return shortcut.command;
  }
  return undefined;
}
