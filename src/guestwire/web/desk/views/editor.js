/**
 * The editor of rich content: a form of its fields, or its JSON, beside what the guest will see.
 *
 * @import { ContentItem, Problem, Template } from "../core/types.js"
 * @import { KindName, Value } from "../core/content-kinds.js"
 * @import { Model } from "./parts.js"
 */

import { kindOf } from "../core/content-kinds.js";
import { blank, complaints, draftOf, itemsOf, parseItems } from "../core/content-value.js";
import { problemWords } from "./banner.js";
import { miniature } from "./content.js";
import { openDialog } from "./dialogs.js";
import { enable, h, onPress, setAttribute, setText, show } from "./dom.js";
import { createFields } from "./editor-fields.js";
import { button } from "./parts.js";
import { formatted } from "./rich-text.js";

/**
 * @param {{ begin: { kind: KindName | "json" } | { template: Template }, model: Model,
 *   onSend: (text: string, content: ContentItem[]) => Promise<Problem | undefined> }} options
 * @returns {Promise<boolean>} Whether something was sent.
 */
export function openEditor({ begin, model, onSend }) {
  const { words } = model;
  const start = beginning(begin);
  const { kind, value } = start;
  let isJson = kind === undefined;
  let isSent = false;

  const text = h("textarea", { id: "editor-text", class: "input area", rows: 2, dir: "auto", autofocus: true });
  text.value = start.text;
  const json = h("textarea", { id: "editor-json", class: "input area code", rows: 16, spellcheck: "false", dir: "ltr" });
  const jsonBox = h("div", { class: "field" }, h("label", { for: json.id }, words.editor.json), json);
  const fields = kind && createFields({ fields: kindOf(kind).fields, value, words, onChange: drawLook });
  const form = h("div", { class: "editor-fields" }, fields?.element);
  const asJson = h("input", { id: "editor-as-json", type: "checkbox", class: "checkbox" });
  const jsonSwitch = h("label", { class: "editor-switch", for: asJson.id }, asJson, words.editor.asJson);
  const look = h("div", { class: "editor-look", inert: true });
  const problem = h("p", { class: "editor-problem", role: "alert" });
  const cancel = button(words.dialog.cancel, "quiet");
  const send = button(words.editor.send, "loud", "send");
  send.type = "submit";
  const title = kind ? words.editor.kinds[kind] : start.content.length || "kind" in begin ? words.editor.kinds.json : words.editor.textOnly;
  const sheet = h(
    "form",
    { class: "editor", novalidate: true },
    h(
      "div",
      { class: "editor-form" },
      h("div", { class: "field" }, h("label", { for: text.id }, words.editor.text), text, h("p", { class: "quiet" }, words.editor.textHelp)),
      form,
      jsonBox,
      kind !== undefined && jsonSwitch,
    ),
    h("section", { class: "editor-preview", "aria-label": words.editor.look }, h("p", { class: "section-title", "aria-hidden": "true" }, words.editor.look), look),
    problem,
    h("div", { class: "dialog-buttons" }, h("p", { class: "editor-voice" }, words.editor.voice(model.state.work.asBot ? words.from.bot : model.state.work.myName ?? "")), cancel, send),
  );
  const dialog = openDialog(title, sheet);
  dialog.classList.add("dialog-wide");

  text.addEventListener("input", drawLook);
  json.addEventListener("input", drawLook);
  asJson.addEventListener("change", turn);
  onPress(cancel, () => dialog.close());
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  if (isJson) json.value = JSON.stringify(start.content, undefined, 2);
  show(jsonBox, isJson && (start.content.length > 0 || "kind" in begin));
  drawLook();

  /** From form to JSON at any time; back only when it is of the same kind. */
  function turn() {
    const items = isJson ? parseItems(json.value) : undefined;
    const draft = items && draftOf(items);
    if (isJson && (draft?.kind !== kind || !draft)) {
      asJson.checked = true;
      setText(problem, words.editor.notThisKind);
      return;
    }
    if (draft) fields?.take(draft.value);
    else json.value = JSON.stringify(made(), undefined, 2);
    isJson = !isJson;
    show(jsonBox, isJson);
    show(form, !isJson);
    drawLook();
  }

  /** @returns {ContentItem[] | undefined} Undefined for JSON that is no content. */
  function made() {
    if (!isJson && kind && fields) return itemsOf(kind, fields.value());
    return jsonBox.hidden ? [] : parseItems(json.value);
  }

  function drawLook() {
    setText(problem, "");
    look.replaceChildren(
      ...(text.value.trim() ? [h("div", { class: "bubble", dir: "auto" }, ...formatted(text.value.trim(), { markdown: true, isOutbound: true }))] : []),
      ...drawn(),
    );
  }

  /** @returns {Node[]} Nothing for JSON of a wrong shape, which the emulator refuses with its reason. */
  function drawn() {
    try {
      return miniature(made() ?? [], model);
    } catch {
      return [];
    }
  }

  async function submit() {
    if (send.getAttribute("aria-disabled") === "true") return;
    if (!isJson && kind && fields) {
      const wrong = complaints(kindOf(kind).fields, fields.value());
      fields.complain(wrong);
      if (wrong.length) return setText(problem, words.editor.incomplete(wrong.length));
    }
    const content = made();
    if (!content) {
      setAttribute(json, "aria-invalid", "true");
      json.focus();
      return setText(problem, words.editor.notJson);
    }
    enable(send, false);
    const refused = await onSend(text.value.trim(), content);
    enable(send, true);
    if (refused) return setText(problem, problemWords(refused, words));
    isSent = true;
    dialog.close();
  }

  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(isSent), { once: true });
  });
}

/**
 * @param {{ kind: KindName | "json" } | { template: Template }} begin
 * @returns {{ kind: KindName | undefined, value: Value, text: string, content: ContentItem[] }} No kind: edited as JSON.
 */
function beginning(begin) {
  if ("template" in begin) {
    const { text, content } = begin.template;
    const draft = draftOf(content);
    return { kind: draft?.kind, value: draft?.value ?? {}, text, content };
  }
  const kind = begin.kind === "json" ? undefined : begin.kind;
  return { kind, value: kind ? blank(kindOf(kind).fields) : {}, text: "", content: [] };
}
