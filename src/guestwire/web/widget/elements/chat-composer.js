/** @import { View } from "./view.js" */

import { MAX_TEXT_BYTES, utf8Length } from "../core/decode.js";
import { composerMode, reasonOf } from "../core/shown.js";
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
  #mode = /** @type {ReturnType<typeof composerMode>} */ ("off");
  #maxTextBytes = MAX_TEXT_BYTES;
  /** How many files are ready to go with the text, and whether others are on their way. */
  #files = { ready: 0, isBusy: false };
  /** How near the text is to its limit: 0 far, 1 near, 2 over. */
  #nearness = 0;
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

  /**
   * Put what attaches files into its place.
   *
   * @param {HTMLElement} button
   * @param {HTMLElement} tray
   */
  extend(button, tray) {
    this.#form.prepend(button);
    this.insertBefore(tray, this.#counter);
  }

  /** @param {{ ready: number, isBusy: boolean }} files */
  set files(files) {
    this.#files = files;
    this.#showText();
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
    return this.#mode === "on";
  }

  /** Whether it has something for the focus now. */
  get takesFocus() {
    return this.#mode !== "off";
  }

  /** @override */
  focus() {
    (this.#ended.hidden ? this.#input : this.#startNew).focus();
  }

  /** @param {View} view */
  set view({ state, words, maxTextBytes }) {
    const mode = composerMode(state);
    this.#maxTextBytes = maxTextBytes;
    this.#words = words;
    this.#mode = mode;
    const hint = mode === "on" ? "placeholder" : state.isEnding ? "ending" : isGivenUp(state) ? "failed" : "off";
    setAttributes(this.#input, { "aria-label": words.say("composer"), placeholder: words.say(`composer.${hint}`) });
    setAttributes(this.#send, { "aria-label": words.say("send"), title: words.say("send") });
    const reason = `ended.${reasonOf(state)}`;
    setText(this.#endedText, words.say(words.has(reason) ? reason : "ended"));
    setText(this.#startNew, words.say("start-new"));
    setAttributes(this.#form, { hidden: mode === "ended" });
    setAttributes(this.#ended, { hidden: mode !== "ended" });
    if (this.#input.disabled === this.isOn) this.#input.disabled = !this.isOn;
    this.#showText();
  }

  #submit() {
    if (this.isOn && this.#files.isBusy) request(this, "chat-announce", this.#words?.say("files.wait"));
    if (!this.isOn || this.#isEmpty || this.#files.isBusy) return;
    if (!request(this, "chat-send", { text: this.text })) return;
    this.text = "";
    request(this, "chat-draft", "");
  }

  get #isEmpty() {
    return !this.text.trim() && !this.#files.ready;
  }

  #showText() {
    const value = this.text || this.#input.placeholder;
    if (this.#field.dataset.value !== value) this.#field.dataset.value = value;
    const left = this.#maxTextBytes - utf8Length(this.text);
    const nearness = left < 0 ? 2 : left < WARN_BELOW_BYTES && this.isOn ? 1 : 0;
    const words = this.#words?.say(left < 0 ? "bytes.over" : "bytes.left", { n: Math.abs(left) }) ?? "";
    setAttributes(this.#counter, { hidden: !this.isOn || !nearness, "data-over": left < 0 });
    setText(this.#counter, words);
    setAttributes(this.#input, {
      "aria-invalid": left < 0 && "true",
      "aria-describedby": this.isOn && nearness > 0 && "counter",
    });
    // The description is heard on the way into the field; who is writing hears of the limit once, and of its end once.
    if (nearness > this.#nearness) request(this, "chat-announce", words);
    this.#nearness = nearness;
    // Not `disabled`: a button that has the focus keeps it.
    setAttributes(this.#send, { "aria-disabled": String(!this.isOn || this.#isEmpty || this.#files.isBusy || left < 0) });
  }
}

/** @param {View["state"]} state */
function isGivenUp({ status, hasStarted }) {
  return status === "failed" || (status === "disconnected" && hasStarted);
}
