/** @import { View } from "./view.js" */

import { MAX_TEXT_BYTES, utf8Length } from "../core/decode.js";
import { composerMode } from "../core/store.js";
import { el, icon, register, request, setAttributes, setText } from "./dom.js";

/** From here on the counter shows what is left. */
const WARN_BELOW_BYTES = 410;

/**
 * Where the guest writes. Enter sends, Shift+Enter breaks the line; what can't be sent stays. After the end of a chat it
 * offers to start a new one.
 */
export class ChatComposerElement extends HTMLElement {
  static define(tag = "guest-chat-composer", registry = customElements) {
    register(this, tag, registry);
  }

  #input = el("textarea", {
    class: "input",
    part: "input",
    rows: 1,
    dir: "auto",
    enterkeyhint: "send",
    autocomplete: "off",
    "aria-describedby": "counter",
    disabled: true,
  });
  // Repeats the text invisibly, so that the field grows with it without a script measuring anything.
  #field = el("div", { class: "field", part: "field" }, this.#input);
  #send = el("button", { type: "submit", class: "send", part: "send-button" }, icon("send"));
  #counter = el("p", { class: "counter", part: "counter", id: "counter", hidden: true });
  #form = el("form", { class: "form", part: "form" }, this.#field, this.#send);
  #endedText = el("p", { class: "ended-text" });
  #startNew = el("button", { type: "button", class: "button loud", part: "button start-button" });
  #ended = el("div", { class: "ended", part: "ended", hidden: true }, this.#endedText, this.#startNew);
  #isOn = false;
  /** @type {View["words"] | undefined} */
  #words;

  connectedCallback() {
    if (this.firstChild) return;
    this.append(this.#counter, this.#form, this.#ended);
    this.#input.addEventListener("input", () => {
      this.#showText();
      request(this, "chat-draft", this.text);
      if (this.text.trim()) request(this, "chat-typing");
    });
    this.#input.addEventListener("keydown", (event) => {
      // Enter that ends an IME composition is not meant for us; Safari tells by the key code only.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
      this.focus();
    });
    this.#startNew.addEventListener("click", () => request(this, "chat-start-new"));
  }

  /** What is typed and not sent. */
  get text() {
    return this.#input.value;
  }

  set text(text) {
    this.#input.value = text;
    this.#showText();
  }

  /** Whether it takes text now. */
  get isOn() {
    return this.#isOn;
  }

  /** @override */
  focus() {
    (this.#ended.hidden ? this.#input : this.#startNew).focus();
  }

  /** @param {View} view */
  set view({ state, words }) {
    const mode = composerMode(state);
    this.#words = words;
    setAttributes(this.#input, {
      "aria-label": words.say("composer"),
      placeholder: words.say(
        mode === "on" ? "composer.placeholder" : state.status === "failed" ? "composer.failed" : "composer.off",
      ),
    });
    setAttributes(this.#send, { "aria-label": words.say("send"), title: words.say("send") });
    setText(this.#endedText, words.say("ended"));
    setText(this.#startNew, words.say("start-new"));
    this.#isOn = mode === "on";
    setAttributes(this.#form, { hidden: mode === "ended" });
    setAttributes(this.#ended, { hidden: mode !== "ended" });
    if (this.#input.disabled === this.#isOn) this.#input.disabled = !this.#isOn;
    this.#showText();
  }

  #submit() {
    if (!this.#isOn || !this.text.trim()) return;
    if (!request(this, "chat-send", { text: this.text })) return;
    this.text = "";
    request(this, "chat-draft", "");
  }

  #showText() {
    this.#field.dataset.value = this.text;
    const left = MAX_TEXT_BYTES - utf8Length(this.text);
    setAttributes(this.#counter, { hidden: !this.#isOn || left >= WARN_BELOW_BYTES, "data-over": left < 0 });
    setText(this.#counter, this.#words?.say(left < 0 ? "bytes.over" : "bytes.left", { n: Math.abs(left) }) ?? "");
    setAttributes(this.#input, { "aria-invalid": left < 0 && "true" });
    // Not `disabled`: a button that has the focus keeps it.
    setAttributes(this.#send, { "aria-disabled": String(!this.#isOn || !this.text.trim() || left < 0) });
  }
}
