/**
 * The page's dialogs: native, modal, focus returned by the browser.
 *
 * @import { Words } from "../locales/en.js"
 * @import { IconName } from "./icons.js"
 */

import { SHORTCUTS } from "../core/keys.js";
import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
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

/**
 * Choose one of several.
 *
 * @param {{ title: string, text: string, options: { value: string, label: string, detail?: string, icon: IconName }[] }} question
 * @param {Words} words
 * @returns {Promise<string | undefined>} Undefined when the dialog was dismissed.
 */
export function choose({ title, text, options }, words) {
  const cancel = button(words.dialog.cancel, "normal");
  const list = h(
    "ul",
    { class: "choices" },
    ...options.map(({ value, label, detail, icon: name }) => {
      const pick = h("button", { type: "button", class: "choice" }, icon(name), h("span", { class: "choice-label" }, h("bdi", {}, label)), detail !== undefined && h("span", { class: "quiet" }, detail));
      pick.addEventListener("click", () => dialog.close(value));
      return h("li", {}, pick);
    }),
  );
  const dialog = openDialog(title, h("p", { class: "quiet" }, text), list, h("div", { class: "dialog-buttons" }, cancel));
  cancel.addEventListener("click", () => dialog.close());
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue || undefined), { once: true });
  });
}

/**
 * Ask for one line of text.
 *
 * @param {{ title: string, text: string, label: string, value: string, type: string, confirm: string }} question
 * @param {(text: string) => Promise<string | undefined>} onConfirm Returns why the dialog has to stay open.
 * @param {Words} words
 */
export function askForText({ title, text, label, value, type, confirm }, onConfirm, words) {
  const field = h("input", { id: "dialog-field", class: "input", type, autocomplete: "off", "aria-describedby": "dialog-problem", autofocus: true });
  field.value = value;
  const problem = h("p", { id: "dialog-problem", class: "editor-problem", role: "alert" });
  const cancel = button(words.dialog.cancel, "normal");
  const yes = button(confirm, "loud");
  yes.type = "submit";
  const form = h("form", { class: "editor-form", novalidate: true }, h("p", { class: "quiet" }, text), h("div", { class: "field" }, h("label", { for: field.id }, label), field), problem, h("div", { class: "dialog-buttons" }, cancel, yes));
  const dialog = openDialog(title, form);
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const refused = await onConfirm(field.value.trim());
    if (refused === undefined) dialog.close();
    else setText(problem, refused);
  });
}

/** @param {string} title @param {...Node} children */
export function openDialog(title, ...children) {
  // The title takes the focus where nothing else asks for it: a long dialog starts at its top, and Enter by habit
  // confirms nothing.
  const asks = children.some((one) => one instanceof Element && one.querySelector("[autofocus]"));
  const heading = h("h2", { id: "dialog-title", tabindex: -1, autofocus: !asks }, title);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": heading.id }, heading, ...children);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
