/**
 * The foot of a conversation: the message field with its templates, or what else can be done there.
 *
 * @import { Template } from "../core/types.js"
 * @import { FootMode } from "../core/selectors.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { footMode, isOnline, me, selected, waiting } from "../core/selectors.js";
import { enable, h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { miniature } from "./content.js";
import { button, guestName, iconButton } from "./parts.js";

/**
 * @param {Words} words
 * @param {{ onDraft: (id: string, text: string) => void, onSend: (id: string, text: string) => void,
 *   onTyping: (id: string) => void, onTemplate: (id: string, template: Template) => void, onAccept: (id: string) => void,
 *   onAcceptNext: () => void, onToList: () => void }} intents
 */
export function createFoot(words, { onDraft, onSend, onTyping, onTemplate, onAccept, onAcceptNext, onToList }) {
  /** @type {string | undefined} */
  let shownId;
  /** @type {FootMode} */
  let mode = "none";

  const field = h("textarea", { id: "message", class: "composer-field", rows: 1, placeholder: words.composer.placeholder, "aria-describedby": "message-hint", "aria-keyshortcuts": "Alt+W", dir: "auto", enterkeyhint: "send" });
  const mirror = h("div", { class: "composer-mirror", "aria-hidden": "true" });
  const send = iconButton("send", words.composer.send, "composer-send");
  const toggle = iconButton("templates", words.composer.templates, "composer-templates");
  const hint = h("p", { id: "message-hint", class: "composer-hint" });
  const cards = h("ul", { class: "templates" });
  const noTemplates = h("p", { class: "quiet" }, words.composer.templatesNone);
  const tray = h("section", { id: "templates", class: "tray", "aria-label": words.composer.templates, hidden: true }, cards, noTemplates);
  setAttribute(toggle, "aria-controls", tray.id);
  setAttribute(toggle, "aria-expanded", "false");
  const form = h(
    "form",
    { class: "composer", hidden: true },
    tray,
    h("div", { class: "composer-box" }, toggle, h("div", { class: "composer-grow" }, h("label", { for: field.id, class: "visually-hidden" }, words.composer.label), field, mirror), send),
    hint,
  );
  send.type = "submit";

  const lead = h("p", { class: "foot-lead" });
  const accept = button("", "loud");
  const next = button(words.foot.nextWaiting, "loud");
  const toList = button(words.foot.backToList, "normal");
  const other = h("div", { class: "foot-other", hidden: true }, lead, h("div", { class: "foot-buttons" }, accept, next, toList));
  const element = h("footer", { class: "foot" }, form, other);

  field.addEventListener("input", () => {
    drawMirror();
    if (shownId === undefined) return;
    onDraft(shownId, field.value);
    if (field.value.trim()) onTyping(shownId);
  });
  field.addEventListener("keydown", (event) => {
    // Enter that ends an input method's composition is not a wish to send; Safari tells only by the key code 229.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Escape" && !event.isComposing && tray.hidden) {
      onToList();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text || shownId === undefined || send.getAttribute("aria-disabled") === "true") return;
    write("");
    onSend(shownId, text);
    field.focus();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || tray.hidden) return;
    event.preventDefault();
    setTray(false);
    field.focus();
  });
  onPress(toggle, () => setTray(Boolean(tray.hidden)));
  onPress(accept, () => {
    if (shownId !== undefined) onAccept(shownId);
  });
  onPress(next, onAcceptNext);
  onPress(toList, onToList);

  /** @param {string} text */
  function write(text) {
    if (field.value !== text) field.value = text;
    drawMirror();
  }

  /** The field is as tall as its text: a hidden twin in the same grid cell holds the place open. */
  function drawMirror() {
    setText(mirror, `${field.value}\u200b`);
  }

  /** @param {boolean} isOpen */
  function setTray(isOpen) {
    show(tray, isOpen);
    setAttribute(toggle, "aria-expanded", String(isOpen));
    const first = cards.querySelector("button");
    if (isOpen && first) first.focus();
  }

  /** Focus what can be done here. @returns {boolean} Whether there was something. */
  function focus() {
    const target = mode === "write" ? field : [accept, next, toList].find((one) => !one.hidden && one.checkVisibility());
    target?.focus();
    return target !== undefined;
  }

  return {
    element,
    focus,
    toggleTemplates: () => {
      if (mode === "write") setTray(Boolean(tray.hidden));
    },
    /** @param {Model} model */
    update(model) {
      const { state } = model;
      const conversation = selected(state);
      const nextMode = footMode(state);
      const online = isOnline(state);
      const isOther = shownId !== conversation?.id;
      shownId = conversation?.id;
      mode = nextMode;

      show(form, mode === "write");
      show(other, mode !== "write" && mode !== "none");
      if (isOther || mode !== "write") setTray(false);
      if (mode === "write" && conversation) {
        write(state.work.drafts.get(conversation.id) ?? "");
        enable(send, online && field.value.trim() !== "");
        setText(hint, online ? words.composer.hint : words.composer.offline);
        setAttribute(hint, "data-offline", !online);
        drawTemplates(model, online);
      } else if (conversation) {
        drawOther(model, conversation);
      }
    },
  };

  /** @param {Model} model @param {import("../core/types.js").Conversation} conversation */
  function drawOther({ state }, conversation) {
    const online = isOnline(state);
    const name = guestName(conversation.guest, words);
    const isAcceptable = mode === "accept" || mode === "take-over";
    const agentName = conversation.agentName ?? words.from.agent;
    const acceptWords = mode === "take-over" ? words.foot.takeOver : words.foot.accept;
    const hasNext = mode === "ended" && waiting(state.desk).length > 0;
    show(accept, isAcceptable);
    setText(/** @type {Node} */ (accept.lastChild), me(state)?.onQueue ? acceptWords : words.foot.goOnQueueAndAccept);
    enable(accept, online);
    show(next, hasNext);
    enable(next, online);
    show(toList, mode === "ended" && !hasNext);
    const by = conversation.endReason === "agent" || conversation.endReason === "guest" ? conversation.endReason : "other";
    const leads = {
      accept: words.foot.acceptLead(name),
      "watch-bot": words.foot.watchBot,
      "watch-agent": words.foot.watchAgent(agentName),
      "take-over": words.foot.takeOverLead(agentName),
      ended: words.foot.endedBy[by],
    };
    setText(lead, mode === "write" || mode === "none" ? "" : leads[mode]);
  }

  /** @param {Model} model @param {boolean} online */
  function drawTemplates({ state, format }, online) {
    const { templates } = state.work;
    show(noTemplates, templates.length === 0);
    syncChildren(
      cards,
      templates,
      (template) => template.name,
      (template) => {
        const pick = h(
          "button",
          { type: "button", class: "template", "aria-label": words.composer.sendTemplate(template.title) },
          h("span", { class: "template-title" }, template.title),
          h("span", { class: "template-text", dir: "auto" }, template.text),
          ...miniature(template.content, { words, now: Date.now(), format }),
        );
        onPress(pick, () => {
          if (shownId === undefined) return;
          setTray(false);
          onTemplate(shownId, template);
          field.focus();
        });
        return h("li", {}, pick);
      },
      (item) => enable(/** @type {HTMLElement} */ (item.firstElementChild), online),
    );
  }
}
