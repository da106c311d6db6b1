/**
 * The page's dialogs: native, modal, focus returned by the browser.
 *
 * @import { Words } from "../locales/en.js"
 */

import { SHORTCUTS } from "../core/keys.js";
import { h } from "./dom.js";
import { button } from "./parts.js";

/**
 * Ask before something that cannot be undone.
 *
 * @param {{ title: string, text: string, confirm: string }} question
 * @param {Words} words
 * @returns {Promise<boolean>} False also when the dialog was dismissed with Escape.
 */
export function ask({ title, text, confirm }, words) {
  const no = button(words.dialog.cancel, "normal");
  const yes = button(confirm, "danger");
  const dialog = openDialog(title, h("p", {}, text), h("div", { class: "dialog-buttons" }, no, yes));
  no.addEventListener("click", () => dialog.close("no"));
  yes.addEventListener("click", () => dialog.close("yes"));
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** @param {Words} words */
export function showShortcuts(words) {
  const rows = SHORTCUTS.map(({ command, keys }) =>
    h(
      "div",
      { class: "shortcut" },
      h("dt", {}, ...keys.map((key) => h("kbd", {}, key))),
      h("dd", {}, words.dialog.shortcuts[command]),
    ),
  );
  const close = button(words.dialog.close, "normal");
  const dialog = openDialog(
    words.dialog.shortcutsTitle,
    h("dl", { class: "shortcuts" }, ...rows),
    h("p", { class: "quiet" }, words.dialog.listKeys),
    h("div", { class: "dialog-buttons" }, close),
  );
  close.addEventListener("click", () => dialog.close());
}

/** Whether a dialog is open: shortcuts wait until it is closed. */
export function isDialogOpen() {
  return document.querySelector("dialog[open]") !== null;
}

/** @param {string} title @param {...Node} children */
function openDialog(title, ...children) {
  // The title takes the focus: a long dialog starts at its top, and Enter by habit confirms nothing.
  const heading = h("h2", { id: "dialog-title", tabindex: -1, autofocus: true }, title);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": heading.id }, heading, ...children);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
