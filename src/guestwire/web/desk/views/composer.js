/**
 * The message field, with the files that go with it, the tray of rich content, and whose voice it is.
 *
 * @import { ContentItem, Conversation, Problem, Template } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { isOnline } from "../core/selectors.js";
import { areUploading, readyUploads, uploadsOf } from "../core/uploads.js";
import { enable, h, onPress, setAttribute, setText, show } from "./dom.js";
import { iconButton } from "./parts.js";
import { createTray } from "./tray.js";
import { createUploads } from "./uploads.js";

/**
 * @param {Words} words
 * @param {{ onDraft: (id: string, text: string) => void, onSend: (id: string, text: string) => void,
 *   onTyping: (id: string) => void, onTemplate: (id: string, template: Template) => void, onToList: () => void,
 *   onContent: (id: string, text: string, content: ContentItem[]) => Promise<Problem | undefined>,
 *   onAttach: (id: string, files: readonly File[]) => void, onRemoveUpload: (id: string, uploadId: string) => void,
 *   onVoice: (asBot: boolean) => void }} intents
 */
export function createComposer(words, intents) {
  /** @type {string | undefined} */
  let shownId;
  let takesFiles = false;

  const field = h("textarea", { id: "message", class: "composer-field", rows: 1, placeholder: words.composer.placeholder, "aria-describedby": "message-hint", "aria-keyshortcuts": "Alt+W", dir: "auto", enterkeyhint: "send" });
  const mirror = h("div", { class: "composer-mirror", "aria-hidden": "true" });
  const send = iconButton("send", words.composer.send, "composer-tool composer-send");
  const toggle = iconButton("templates", words.composer.templates, "composer-tool composer-templates");
  const attach = iconButton("attach", words.composer.attach, "composer-tool");
  const picker = h("input", { type: "file", multiple: true, hidden: true, tabindex: -1, "aria-label": words.composer.attach });
  const hint = h("p", { id: "message-hint", class: "composer-hint" });
  const me = h("option", { value: "agent" });
  const voice = h("select", { id: "voice", class: "voice" }, me, h("option", { value: "bot" }, words.composer.asBot));
  const uploads = createUploads(words, {
    onRemove: (uploadId) => {
      if (shownId !== undefined) intents.onRemoveUpload(shownId, uploadId);
      field.focus();
    },
  });
  const tray = createTray(words, {
    onTemplate: (template) => act((id) => {
      closeTray();
      intents.onTemplate(id, template);
    }),
    onContent: (text, content) => (shownId === undefined ? Promise.resolve(undefined) : intents.onContent(shownId, text, content)),
    onDone: () => {
      closeTray();
      field.focus();
    },
  });
  setAttribute(toggle, "aria-controls", tray.element.id);
  setAttribute(toggle, "aria-expanded", "false");
  send.type = "submit";
  const element = h(
    "form",
    { class: "composer", hidden: true },
    tray.element,
    h(
      "div",
      { class: "composer-box" },
      uploads.element,
      h("div", { class: "composer-row" }, attach, picker, toggle, h("div", { class: "composer-grow" }, h("label", { for: field.id, class: "visually-hidden" }, words.composer.label), field, mirror), send),
    ),
    h("div", { class: "composer-under" }, hint, h("label", { class: "voice-label" }, words.composer.voice, voice)),
  );

  field.addEventListener("input", () => {
    drawMirror();
    if (shownId === undefined) return;
    intents.onDraft(shownId, field.value);
    if (field.value.trim()) intents.onTyping(shownId);
  });
  field.addEventListener("keydown", (event) => {
    // Enter that ends an input method's composition is not a wish to send; Safari tells only by the key code 229.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      element.requestSubmit();
    } else if (event.key === "Escape" && !event.isComposing && tray.element.hidden) {
      intents.onToList();
    }
  });
  field.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length && takeFiles(files)) event.preventDefault();
  });
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-disabled") === "true") return;
    act((id) => {
      const text = field.value.trim();
      write("");
      intents.onSend(id, text);
    });
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || tray.element.hidden) return;
    event.preventDefault();
    closeTray();
    field.focus();
  });
  onPress(toggle, toggleTray);
  onPress(attach, () => picker.click());
  picker.addEventListener("change", () => {
    takeFiles([...(picker.files ?? [])]);
    picker.value = "";
  });
  voice.addEventListener("change", () => intents.onVoice(voice.value === "bot"));

  /** @param {(id: string) => void} what Done for the open conversation; the field has the focus afterwards. */
  function act(what) {
    if (shownId === undefined) return;
    what(shownId);
    field.focus();
  }

  /** @param {readonly File[]} files @returns {boolean} Whether the guest's protocol takes files. */
  function takeFiles(files) {
    if (!takesFiles || files.length === 0) return false;
    act((id) => intents.onAttach(id, files));
    return true;
  }

  /** @param {string} text */
  function write(text) {
    if (field.value !== text) field.value = text;
    drawMirror();
  }

  /** The field is as tall as its text: a hidden twin in the same grid cell holds the place open. */
  function drawMirror() {
    setText(mirror, `${field.value}\u200b`);
  }

  function toggleTray() {
    if (!tray.element.hidden) return closeTray();
    show(tray.element, true);
    setAttribute(toggle, "aria-expanded", "true");
    tray.focus();
  }

  function closeTray() {
    show(tray.element, false);
    setAttribute(toggle, "aria-expanded", "false");
  }

  return {
    element,
    focus: () => field.focus(),
    toggleTray,
    takeFiles,
    canTakeFiles: () => takesFiles,
    /** @param {Model} model @param {Conversation | undefined} conversation Undefined when nothing can be written. */
    update(model, conversation) {
      const { work } = model.state;
      show(element, conversation !== undefined);
      if (!conversation || shownId !== conversation.id) closeTray();
      shownId = conversation?.id;
      takesFiles = conversation?.protocol === "web-messaging";
      if (!conversation) return;
      const online = isOnline(model.state);
      const files = uploadsOf(work, conversation.id);
      write(work.drafts.get(conversation.id) ?? "");
      uploads.update(model, files);
      enable(attach, takesFiles);
      setAttribute(attach, "title", takesFiles ? words.composer.attach : words.composer.noFiles);
      enable(send, online && !areUploading(files) && (field.value.trim() !== "" || readyUploads(files).length > 0));
      setText(hint, !online ? words.composer.offline : areUploading(files) ? words.composer.uploading : words.composer.hint);
      setAttribute(hint, "data-loud", !online || areUploading(files));
      setText(me, work.myName ?? words.from.you);
      const spoken = work.asBot ? "bot" : "agent";
      if (voice.value !== spoken) voice.value = spoken;
      setAttribute(element, "data-voice", spoken);
      tray.update(model);
    },
  };
}
