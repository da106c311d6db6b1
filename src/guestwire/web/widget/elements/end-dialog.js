/** Ask whether the chat should really end. In the top layer, so that nothing of the page can cover it. */

/** @import { Words } from "../core/words.js" */

import { el, setText } from "./dom.js";

export class EndDialog {
  #title = el("bdi");
  #text = el("bdi");
  #cancel = el("button", { type: "submit", value: "", class: "button", part: "button", autofocus: true });
  #confirm = el("button", { type: "submit", value: "end", class: "button danger", part: "button" });
  element = el(
    "dialog",
    { class: "dialog", part: "dialog", "aria-labelledby": "end-title", "aria-describedby": "end-text" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { class: "dialog-title", id: "end-title" }, this.#title),
      el("p", { class: "dialog-text", id: "end-text" }, this.#text),
      el("div", { class: "dialog-buttons" }, this.#cancel, this.#confirm),
    ),
  );

  /**
   * @param {Words} words
   * @returns {Promise<boolean>} Whether the guest means it; Escape means no.
   */
  ask(words) {
    setText(this.#title, words.say("end.title"));
    setText(this.#text, words.say("end.text"));
    setText(this.#cancel, words.say("end.cancel"));
    setText(this.#confirm, words.say("end.confirm"));
    // One that was moved with the page around it is open, but no longer modal.
    this.close();
    this.element.returnValue = "";
    this.element.showModal();
    return new Promise((resolve) => {
      this.element.addEventListener("close", () => resolve(this.element.returnValue === "end"), { once: true });
    });
  }

  close() {
    if (this.element.open) this.element.close("");
  }
}
