/** Ask whether it is really meant. In the top layer, so that nothing of the page can cover it. */

/** @import { Words } from "../core/words.js" */

import { el, setText } from "./dom.js";

export class ConfirmDialog {
  #title = el("bdi");
  #text = el("bdi");
  #cancel = el("button", { type: "submit", value: "", class: "button", part: "button", autofocus: true });
  #confirm = el("button", { type: "submit", value: "yes", class: "button danger", part: "button" });
  element = el(
    "dialog",
    { class: "dialog", part: "dialog", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { class: "dialog-title", id: "confirm-title" }, this.#title),
      el("p", { class: "dialog-text", id: "confirm-text" }, this.#text),
      el("div", { class: "dialog-buttons" }, this.#cancel, this.#confirm),
    ),
  );

  /**
   * @param {Words} words
   * @param {"end" | "clear"} what
   * @returns {Promise<boolean>} Whether the guest means it; Escape means no.
   */
  ask(words, what) {
    setText(this.#title, words.say(`${what}.title`));
    setText(this.#text, words.say(`${what}.text`));
    setText(this.#cancel, words.say(`${what}.cancel`));
    setText(this.#confirm, words.say(`${what}.confirm`));
    // One that was moved with the page around it is open, but no longer modal.
    this.close();
    this.element.returnValue = "";
    this.element.showModal();
    return new Promise((resolve) => {
      this.element.addEventListener("close", () => resolve(this.element.returnValue === "yes"), { once: true });
    });
  }

  close() {
    if (this.element.open) this.element.close("");
  }
}
