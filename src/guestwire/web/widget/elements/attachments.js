/**
 * Where files are attached: a button, paste, drag and drop; below it a tray with what goes along, how far it is, and what can
 * be done. Fetched when the session says that files are taken.
 */

/** @import { Draft, Uploaded } from "../core/files.js" */
/** @import { Session } from "../core/types.js" */
/** @import { ChatComposerElement } from "./chat-composer.js" */
/** @import { View } from "./view.js" */

import { composerMode } from "../core/shown.js";
import { Uploads } from "../io/uploads.js";
import { errorWords } from "./announcer.js";
import { el, icon, setAttributes, setText } from "./dom.js";
import { adoptSheet } from "./styles.js";

export class Attachments {
  #uploads;
  #composer;
  #say;
  #input = el("input", { type: "file", multiple: true, hidden: true, tabindex: -1 });
  #button = el("button", { type: "button", class: "icon-button attach", part: "attach-button" }, icon("clip"));
  #tray = el("ul", { class: "tray", part: "tray", role: "list", hidden: true });
  #dropText = el("p");
  #drop = el("div", { class: "drop", part: "drop", hidden: true }, icon("clip"), this.#dropText);
  /** @type {Map<string, DraftView>} */
  #views = new Map();
  /** @type {View | undefined} */
  #view;

  /**
   * @param {object} options
   * @param {string} options.gateway
   * @param {() => Session | undefined} options.session
   * @param {HTMLElement} options.frame Where files may be dropped.
   * @param {ChatComposerElement} options.composer
   * @param {(text: string) => void} options.say
   * @param {AbortSignal} options.signal
   */
  constructor({ gateway, session, frame, composer, say, signal }) {
    this.#composer = composer;
    this.#say = say;
    this.#uploads = new Uploads({ gateway, session, onChange: (draft) => this.#show(draft) });
    composer.extend(this.#button, this.#tray);
    composer.append(this.#input);
    frame.append(this.#drop);
    adoptSheet(frame, "files");
    this.#button.addEventListener("click", () => this.#input.click(), { signal });
    this.#input.addEventListener(
      "change",
      () => {
        this.#add(this.#input.files);
        this.#input.value = "";
      },
      { signal },
    );
    composer.addEventListener(
      "paste",
      (event) => {
        const { files } = event.clipboardData ?? new DataTransfer();
        if (!files.length || !this.#isOn) return;
        event.preventDefault();
        this.#add(files);
      },
      { signal },
    );
    for (const type of /** @type {const} */ (["dragenter", "dragover"])) {
      frame.addEventListener(
        type,
        (event) => {
          if (!event.dataTransfer?.types.includes("Files") || !this.#isOn) return;
          event.preventDefault();
          event.dataTransfer.dropEffect = "copy";
          setAttributes(this.#drop, { hidden: false });
        },
        { signal },
      );
    }
    frame.addEventListener(
      "dragleave",
      ({ relatedTarget }) => {
        const isInside = relatedTarget instanceof Node && frame.contains(relatedTarget);
        if (!isInside) setAttributes(this.#drop, { hidden: true });
      },
      { signal },
    );
    frame.addEventListener(
      "drop",
      (event) => {
        setAttributes(this.#drop, { hidden: true });
        if (!event.dataTransfer?.files.length || !this.#isOn) return;
        event.preventDefault();
        this.#add(event.dataTransfer.files);
        composer.focus();
      },
      { signal },
    );
  }

  /** @returns {Uploaded[]} What goes with the next message. */
  get ready() {
    return this.#uploads.drafts.flatMap(({ uploaded }) => uploaded ?? []);
  }

  /** They went with a message. */
  sent() {
    this.#uploads.take();
  }

  /** The session is another one. */
  forget() {
    this.#uploads.forget();
  }

  close() {
    this.#uploads.close();
    for (const part of [this.#button, this.#tray, this.#input, this.#drop]) part.remove();
  }

  /** @param {View} view */
  set view(view) {
    const { state, words } = view;
    this.#view = view;
    const isTaken = state.terms.features.includes("attachments");
    setAttributes(this.#button, { hidden: !isTaken, "aria-disabled": !this.#isOn && "true", "aria-label": words.say("attach"), title: words.say("attach") });
    setAttributes(this.#input, { accept: state.terms.files?.types.filter((type) => type !== "*/*").join(",") || undefined });
    setAttributes(this.#tray, { "aria-label": words.say("files") });
    setText(this.#dropText, words.say("files.drop"));
    this.#show();
  }

  get #isOn() {
    const { state } = this.#view ?? {};
    return state !== undefined && composerMode(state) === "on" && state.terms.features.includes("attachments");
  }

  /** @param {FileList | null} files */
  #add(files) {
    if (this.#isOn && files) this.#uploads.add([...files], this.#view?.state.terms.files);
  }

  /** @param {Draft} [news] One whose fate is to be said. */
  #show(news) {
    const { words } = this.#view ?? {};
    if (!words) return;
    const { drafts } = this.#uploads;
    for (const [key, view] of this.#views) {
      if (drafts.some((draft) => draft.key === key)) continue;
      const hadFocus = view.element.matches(":focus-within");
      view.element.remove();
      this.#views.delete(key);
      if (hadFocus) this.#composer.focus();
    }
    for (const draft of drafts) {
      let view = this.#views.get(draft.key);
      if (!view) {
        view = new DraftView(draft, this.#uploads);
        this.#views.set(draft.key, view);
        this.#tray.append(view.element);
      }
      view.show(draft, words);
    }
    setAttributes(this.#tray, { hidden: !drafts.length });
    this.#composer.files = { ready: this.ready.length, isBusy: this.#uploads.isBusy };
    if (news?.state === "done") this.#say(words.say("say.file-done", { name: news.name }));
    else if (news) this.#say(words.say("say.file-failed", { name: news.name, reason: errorWords(words, news.code ?? "").join(" ") }));
  }
}

/** One file beside the message. */
class DraftView {
  #name = el("bdi", { class: "draft-name" });
  // In the direction of its words, at the page's own side.
  #state = el("bdi");
  #progress = el("progress", { class: "draft-progress", max: 1 });
  #retry = el("button", { type: "button", class: "remedy" });
  #remove = el("button", { type: "button", class: "icon-button small" }, icon("close"));
  element = el("li", { class: "draft" }, icon("file"), el("div", { class: "draft-words" }, this.#name, " ", el("span", { class: "draft-state" }, this.#state), this.#progress), this.#retry, this.#remove);

  /**
   * @param {Draft} draft
   * @param {Uploads} uploads
   */
  constructor({ key }, uploads) {
    this.#retry.addEventListener("click", () => {
      // It goes away with the click.
      this.#remove.focus();
      uploads.retry(key);
    });
    this.#remove.addEventListener("click", () => uploads.remove(key));
  }

  /**
   * @param {Draft} draft
   * @param {View["words"]} words
   */
  show({ name, size, state, progress, code }, words) {
    const isOn = state === "waiting" || state === "uploading";
    const about = code ? errorWords(words, code).join(" ") : `${words.size(size)}, ${words.say(`files.${state}`)}`;
    setText(this.#name, name);
    setText(this.#state, about);
    setAttributes(this.element, { "data-state": state });
    setAttributes(this.#progress, { hidden: !isOn, value: progress, "aria-label": words.say("files.uploading") });
    setText(this.#retry, words.say("files.retry"));
    setAttributes(this.#retry, { hidden: !isWorthRetrying(state, code), "aria-label": words.say("files.retry-name", { name }) });
    const remove = words.say(isOn ? "files.cancel" : "files.remove", { name });
    setAttributes(this.#remove, { "aria-label": remove, title: remove });
  }
}

/** What another try would not change: it is the file. */
const FINAL = new Set(["attachment-type", "attachment-too-large", "attachment-empty", "attachment-name", "attachment-invalid", "attachments-off", "too-many-files"]);

/**
 * @param {Draft["state"]} state
 * @param {string} [code]
 */
function isWorthRetrying(state, code = "") {
  return state === "failed" && !FINAL.has(code);
}
