/**
 * The tray over the message field: ready-made messages to send or to change first, and empty ones of each kind.
 *
 * @import { ContentItem, Problem, Template } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { KINDS } from "../core/content-kinds.js";
import { isOnline } from "../core/selectors.js";
import { miniature } from "./content.js";
import { enable, h, onPress, setAttribute, show, syncChildren } from "./dom.js";
import { openEditor } from "./editor.js";
import { button } from "./parts.js";
import { formatted } from "./rich-text.js";

/**
 * @param {Words} words
 * @param {{ onTemplate: (template: Template) => void, onDone: () => void,
 *   onContent: (text: string, content: ContentItem[]) => Promise<Problem | undefined> }} intents `onDone`: something that
 *   was edited has been sent.
 */
export function createTray(words, { onTemplate, onContent, onDone }) {
  /** @type {Model | undefined} */
  let model;
  const cards = h("ul", { class: "templates" });
  const noTemplates = h("p", { class: "quiet" }, words.composer.templatesNone);
  const kinds = [...KINDS.map((one) => one.name), /** @type {const} */ ("json")].map((kind) => {
    const begin = button(words.editor.kinds[kind], "normal");
    onPress(begin, () => edit({ kind }));
    return h("li", {}, begin);
  });
  const element = h(
    "section",
    { id: "templates", class: "tray", "aria-label": words.composer.templates, hidden: true },
    h("div", { class: "tray-new" }, h("p", { id: "tray-new", class: "section-title" }, words.editor.make), h("ul", { class: "kinds", "aria-labelledby": "tray-new" }, ...kinds)),
    h("p", { id: "tray-ready", class: "section-title" }, words.editor.ready),
    cards,
    noTemplates,
  );
  setAttribute(cards, "aria-labelledby", "tray-ready");

  /** @param {Parameters<typeof openEditor>[0]["begin"]} begin */
  async function edit(begin) {
    if (model && (await openEditor({ begin, model, onSend: onContent }))) onDone();
  }

  /** @param {Template} template */
  function create(template) {
    const send = button(words.editor.send, "normal", "send");
    const change = button(words.editor.edit, "quiet", "pencil");
    setAttribute(send, "aria-label", words.composer.sendTemplate(template.title));
    setAttribute(change, "aria-label", words.editor.editTemplate(template.title));
    onPress(send, () => onTemplate(template));
    onPress(change, () => void edit({ template }));
    const drawing = /** @type {Model} */ (model);
    return h(
      "li",
      { class: "template" },
      h("h3", { class: "template-title" }, template.title),
      // To be looked at only: its links and lists are for the guest.
      h(
        "div",
        { class: "template-look", inert: true },
        h("p", { class: "template-text", dir: "auto" }, ...formatted(template.text, { markdown: true, isOutbound: true })),
        ...miniature(template.content, drawing),
      ),
      h("div", { class: "template-tools" }, send, change),
    );
  }

  return {
    element,
    focus: () => element.querySelector("button")?.focus(),
    /** @param {Model} now */
    update(now) {
      model = now;
      const { templates } = now.state.work;
      const online = isOnline(now.state);
      show(noTemplates, templates.length === 0);
      syncChildren(cards, templates, (template) => template.name, create, (item) => {
        enable(/** @type {HTMLElement} */ (item.querySelector(".button-normal")), online);
      });
    },
  };
}
