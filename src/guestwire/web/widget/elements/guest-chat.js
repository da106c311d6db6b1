/** @import { ChatEvent, ConnectionStatus, ContentItem, Guest, MessageRow, Terms } from "../core/types.js" */
/** @import { UiEvent, UiState } from "../core/state.js" */

import { RejectedError } from "../core/effects.js";
import { MAX_TEXT_BYTES } from "../core/decode.js";
import { composerMode } from "../core/shown.js";
import { INITIAL_STATE } from "../core/state.js";
import { reduce } from "../core/store.js";
import { nextDeadline } from "../core/waits.js";
import { Words } from "../core/words.js";
import { CLOCK } from "../io/clock.js";
import { ChatSession } from "../io/session.js";
import { Memory } from "../io/storage.js";
import en from "../locales/en.js";
import { attachmentItems } from "../core/files.js";
import { NO_TERMS } from "../core/terms.js";
import { Announcer } from "./announcer.js";
import { ChatBannerElement } from "./chat-banner.js";
import { ChatComposerElement } from "./chat-composer.js";
import { ChatHeaderElement } from "./chat-header.js";
import { ChatTranscriptElement } from "./chat-transcript.js";
import { ConfirmDialog } from "./confirm-dialog.js";
import { el, register, setAttributes } from "./dom.js";
import { loadStyles, paint } from "./styles.js";

/** Where this module came from is where the gateway is, unless `gateway` says otherwise. */
const OWN_GATEWAY = new URL("../../", import.meta.url).href;

/** How text is read where nobody has said how. */
const PLAIN = {};

/** Properties that are their attribute. @type {Record<string, string>} */
const REFLECTED = {
  gateway: "gateway",
  name: "name",
  email: "email",
  externalContactId: "external-contact-id",
  theme: "theme",
  heading: "heading",
};

/* eslint-disable jsdoc/valid-types -- our events have hyphens in their names, JSDoc's namepaths none */
/**
 * A chat with the people behind a Guestwire gateway. It connects when it is put into a page and closes everything when
 * it is taken out; being moved is neither. Behind a relaying gateway it goes on after a reload, and in all tabs at once. Language and direction are those of the nearest `lang` and `dir`.
 *
 * All its parts stand in one shadow root, so that every region can be styled with `::part()` from the page.
 *
 * @element guest-chat
 *
 * @attr {string} gateway - Base URL of the gateway; default: where the script came from. Read when a session is created.
 * @attr {string} name - The guest's name, for the agent.
 * @attr {string} email - The guest's e-mail address, for the agent.
 * @attr {string} external-contact-id - Links the guest to a CRM record.
 * @attr {"light" | "dark" | "auto"} theme - Colours; `auto`, the default, follows the system.
 * @attr {string} heading - The title; default: "Chat with us" in the guest's language.
 *
 * @slot intro - Greeting above the first message.
 *
 * @event guest-chat-status - The connection's status changed; `detail` is `{ status, error? }`.
 * @event guest-chat-message - A new message, the guest's own included; `detail` is the event: `{ from, text, name?, … }`.
 * @event guest-chat-ended - The conversation ended; `detail` is `{ reason? }`.
 * @event guest-chat-error - Something failed or was refused; `detail` is `{ code, text?, retryAfter? }`.
 *
 * @csspart frame - Everything.
 * @csspart header - The top: `mark`, `title`, `status`, `wire` and `end-button`.
 * @csspart transcript - The middle, with `log`, `intro`, `typing`, `unattended` and `pill`.
 * @csspart message - A message; `message-agent`, `message-bot` or `message-guest`, with `avatar` and `meta`.
 * @csspart remedy - What can be done about a message that did not arrive: `remedy-retry`, `remedy-edit`, `remedy-send-again`.
 * @csspart bubble - Its text; also `bubble-agent`, `bubble-bot`, `bubble-guest`; `link` in it.
 * @csspart notice - A line of the system: joined, left, ended.
 * @csspart day - A divider between days.
 * @csspart quick-replies - Suggested answers, each a `quick-reply`.
 * @csspart cards - Cards, each a `card` with `card-button`s.
 * @csspart picker - A date or list picker; `form-content` is a form.
 * @csspart files - Files of a message, each a `picture` or a `file`; `viewer` shows a picture large.
 * @csspart earlier - The button that shows earlier messages.
 * @csspart menu - What opens below `menu-button`, with `menu-item`s.
 * @csspart attach-button - Attaches files; `tray` has those that go with the message, `drop` shows where to drop them.
 * @csspart banner - What stands in the way, with `banner-button`.
 * @csspart composer - The bottom: `form`, `field`, `input`, `send-button`, `counter`; `ended` and `start-button`.
 * @csspart button - Every button with words.
 * @csspart dialog - The question before the end.
 *
 * @cssproperty --guest-chat-accent-normal - The one colour: guest's bubbles, buttons, the wire.
 * @cssproperty --guest-chat-accent-text - Text on that colour.
 * @cssproperty --guest-chat-surface-normal - Background; `-quiet` behind the transcript, `-loud` for bubbles and fields.
 * @cssproperty --guest-chat-text-normal - Text; `-quiet` for what matters less.
 * @cssproperty --guest-chat-line-normal - Lines; `-loud` for the edges of controls.
 * @cssproperty --guest-chat-danger-normal - Errors; `-quiet` behind them.
 * @cssproperty --guest-chat-warning-normal - Warnings; `-quiet` behind them.
 * @cssproperty --guest-chat-font-normal - Font family; `-loud` for titles.
 * @cssproperty --guest-chat-radius-normal - Corners of bubbles and fields; `-loud` of the frame.
 */
export class GuestChatElement extends HTMLElement {
  /* eslint-enable jsdoc/valid-types */
  static observedAttributes = [...Object.values(REFLECTED), "lang"];

  static define(tag = "guest-chat", registry = customElements) {
    register(this, tag, registry);
  }

  #root = this.attachShadow({ mode: "open", delegatesFocus: false });
  /** @type {UiState} */
  #state = INITIAL_STATE;
  #words = new Words("en", en);
  #announcer = new Announcer();
  #dialog = new ConfirmDialog();
  /** @type {{ header: ChatHeaderElement, transcript: ChatTranscriptElement, banner: ChatBannerElement, composer: ChatComposerElement } | undefined} */
  #parts;
  /** All that is going on while the element is in a page. @type {AbortController | undefined} */
  #life;
  /** @type {Memory | undefined} */
  #memory;
  /** @type {ChatSession | undefined} */
  #session;
  /** Where files are attached, once that is allowed. @type {import("./attachments.js").Attachments | undefined} */
  #attachments;
  #isFetchingAttachments = false;
  #dialect = {};
  /** @type {string | undefined} */
  #sessionId;
  /** @type {number | undefined} */
  #timer;
  #isRenderDue = false;
  #wantsFocus = false;

  connectedCallback() {
    if (this.#life) {
      // Moved: a dialog that was open is open no longer, whatever its attribute says.
      this.#dialog.close();
      return;
    }
    this.#takeEarlyProperties();
    this.#life = new AbortController();
    const { signal } = this.#life;
    this.#build();
    this.#dress();
    this.#listen(signal);
    // Attributes that the page sets right after adding the element still count.
    queueMicrotask(() => {
      if (!signal.aborted) this.#begin();
    });
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (!this.isConnected) this.#close();
    });
  }

  attributeChangedCallback() {
    this.#renderSoon();
  }

  // --- what a page may use

  /** The connection's status. @returns {ConnectionStatus} */
  get status() {
    return this.#state.status;
  }

  /**
   * Send a message for the guest. While the connection is interrupted it is queued.
   *
   * @param {string} text At most 4,096 UTF-8 bytes.
   * @returns {boolean} False when it was refused: blank, too long, before the first connection or after the end.
   */
  send(text) {
    return this.#send(text);
  }

  /** End the conversation, without asking. */
  end() {
    if (!this.#session) return;
    this.#dispatch({ type: "ending" });
    this.#session.end();
  }

  /** Have the conversation forgotten, here and at the provider, without asking. */
  clear() {
    this.#ask("clear");
  }

  /** Keep the session from expiring. */
  stay() {
    this.#ask("stay");
  }

  /** Start a new conversation, after an end in the same session where the gateway can; what was said stays above it. */
  startNew() {
    if (!this.#life) return;
    if (this.#session?.canStartNew) {
      this.#session.startNew();
      return;
    }
    if (composerMode(this.#state) !== "ended") this.#memory?.clear();
    this.#dispatch({ type: "restarted" });
    this.#session?.stop();
    this.#begin();
  }

  /** Try to connect now: at once instead of after the wait, or again after a failure. */
  reconnect() {
    const { status, transcript } = this.#state;
    if (status === "reconnecting") this.#session?.retryNow();
    else if (status === "failed" || (status === "disconnected" && transcript.status !== "ended")) this.#session?.start();
  }

  // --- life

  /** Properties that were set before the class was known hide its accessors: take them off and set them properly. */
  #takeEarlyProperties() {
    for (const name of Object.keys(REFLECTED)) {
      if (!Object.hasOwn(this, name)) continue;
      const self = /** @type {any} */ (this);
      const value = self[name];
      delete self[name];
      self[name] = value;
    }
  }

  #build() {
    if (this.#parts) return;
    const header = new ChatHeaderElement();
    const transcript = new ChatTranscriptElement();
    const banner = new ChatBannerElement();
    const composer = new ChatComposerElement();
    this.#parts = { header, transcript, banner, composer };
    setAttributes(header, { class: "header", part: "header" });
    setAttributes(transcript, { class: "transcript", part: "transcript" });
    setAttributes(banner, { class: "banner", part: "banner" });
    setAttributes(composer, { class: "composer", part: "composer" });
    const frame = el(
      "section",
      { class: "frame", part: "frame", hidden: true },
      header,
      transcript,
      banner,
      composer,
      this.#announcer.element,
      this.#dialog.element,
    );
    // The page's own shortcuts are not meant by who writes here.
    for (const type of ["keydown", "keypress", "keyup"]) frame.addEventListener(type, (event) => event.stopPropagation());
    this.#root.append(frame);
  }

  async #dress() {
    this.#root.adoptedStyleSheets = await loadStyles();
    // Nothing is shown before its styles are there.
    setAttributes(/** @type {Element} */ (this.#root.firstElementChild), { hidden: false });
    this.#renderSoon();
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const network = () => this.#dispatch({ type: "network", isOnline: navigator.onLine });
    const retry = () => {
      if (navigator.onLine) this.#session?.setOnline(true);
      network();
      if (navigator.onLine && document.visibilityState === "visible") this.#session?.wake();
    };
    window.addEventListener("online", retry, { signal });
    // Style sheets that could not be had may be there now.
    window.addEventListener("online", () => this.#dress(), { signal });
    window.addEventListener("pageshow", retry, { signal });
    document.addEventListener("visibilitychange", retry, { signal });
    window.addEventListener(
      "offline",
      () => {
        this.#session?.setOnline(false);
        network();
      },
      { signal },
    );
    document.addEventListener("visibilitychange", () => this.#renderSoon(), { signal });
    window.addEventListener("storage", () => this.#showReplaced(), { signal });
    network();

    /** @type {Record<string, (event: CustomEvent) => void>} */
    const requests = {
      "chat-send": (event) => {
        const files = this.#attachments?.ready ?? [];
        if (this.#send(event.detail.text, attachmentItems(files))) this.#attachments?.sent();
        else event.preventDefault();
      },
      "chat-answer": ({ detail }) => {
        this.#send(detail.text, detail.content, detail.inReplyTo);
      },
      "chat-typing": () => {
        const { terms } = this.#state;
        if (terms === NO_TERMS || terms.features.includes("typing")) this.#session?.typing();
      },
      "chat-resend": ({ detail }) => {
        if (this.#send(detail.text, detail.content, detail.inReplyTo)) this.#replace(detail.clientId);
      },
      "chat-edit": ({ detail }) => this.#edit(detail),
      "chat-draft": ({ detail }) => {
        if (this.#memory) this.#memory.draft = detail;
      },
      "chat-announce": ({ detail }) => this.#announcer.sayText(detail),
      "chat-scrolled": ({ detail }) => this.#dispatch({ type: "scrolled", ...detail }),
      "chat-end": () => this.#confirm("end", () => this.end()),
      "chat-clear": () => this.#confirm("clear", () => this.clear()),
      "chat-stay": () => this.stay(),
      "chat-start-new": () => {
        this.#wantsFocus = true;
        this.startNew();
      },
      "chat-try-now": () => this.reconnect(),
      "chat-try-again": () => this.reconnect(),
      "chat-use-here": () => this.reconnect(),
      "chat-dismiss": () => this.#dispatch({ type: "dismissed" }),
    };
    for (const [type, handle] of Object.entries(requests)) {
      this.#root.addEventListener(type, (event) => handle(/** @type {CustomEvent} */ (event)), { signal });
    }
  }

  /** Base URL of the gateway, ends with "/". */
  #gateway() {
    const gateway = new URL(this.getAttribute("gateway") || OWN_GATEWAY, document.baseURI);
    if (!gateway.pathname.endsWith("/")) gateway.pathname += "/";
    return gateway.href;
  }

  #begin() {
    this.#sessionId = undefined;
    const gateway = this.#gateway();
    const guest = this.#guest();
    const memory = new Memory({ gateway, guest, place: this.id });
    this.#memory = memory;
    const { composer } = this.#parts ?? {};
    if (composer && !composer.text) composer.text = memory.draft;
    this.#showReplaced();
    const session = new ChatSession({
      gateway,
      guest,
      clock: CLOCK,
      memory,
      onEvent: (event) => {
        if (session === this.#session) this.#take(event);
      },
    });
    this.#session = session;
    session.start();
  }

  #close() {
    if (!this.#life) return;
    this.#life.abort();
    this.#life = undefined;
    this.#dispatch({ type: "restarted" });
    this.#session?.stop();
    this.#session = undefined;
    this.#attachments?.close();
    this.#attachments = undefined;
    this.#dialog.close();
    CLOCK.clearTimer(this.#timer);
  }

  /** @returns {Guest} */
  #guest() {
    /** @type {Guest} */
    const guest = {};
    const name = this.getAttribute("name");
    const email = this.getAttribute("email");
    const externalContactId = this.getAttribute("external-contact-id");
    if (name) guest.name = name;
    if (email) guest.email = email;
    if (externalContactId) guest.externalContactId = externalContactId;
    return guest;
  }

  // --- what happens

  /** @param {ChatEvent} event */
  #take(event) {
    const { session } = /** @type {ChatSession} */ (this.#session);
    if (session && session.sessionId !== this.#sessionId) {
      if (this.#sessionId !== undefined) this.#attachments?.forget();
      this.#sessionId = session.sessionId;
      this.#dispatch({ type: "session", extensions: session.extensions });
    }
    const hadEnded = this.#state.transcript.status === "ended";
    this.#dispatch(event);
    if (event.type === "status") {
      const { status, error } = event;
      this.#tell("status", { status, ...(error && { error }) });
      if (status === "failed") this.#tell("error", error);
    } else if (event.type === "terms") {
      this.#obey(event);
    } else if (event.type === "message") {
      this.#tell("message", event);
    } else if (event.type === "error") {
      this.#tell("error", event);
    } else if (event.type === "unknown") {
      this.#tell("error", { code: "bad-frame", text: event.reason });
    } else if (event.type === "conversation-update" && event.status === "ended" && !hadEnded) {
      if (this.#memory) this.#memory.draft = "";
      this.#tell("ended", { reason: event.reason });
    }
  }

  /**
   * Do what the deployment says.
   *
   * @param {Terms} terms
   */
  #obey({ features, colour }) {
    this.#dialect = { markdown: features.includes("markdown"), escapes: true };
    paint(this.#root, colour);
    if (features.includes("attachments") && !this.#attachments) this.#fetchAttachments();
  }

  async #fetchAttachments() {
    if (this.#isFetchingAttachments) return;
    this.#isFetchingAttachments = true;
    const loaded = await import("./attachments.js").catch(() => undefined);
    this.#isFetchingAttachments = false;
    const { composer } = this.#parts ?? {};
    if (!loaded || !composer || !this.#life || this.#attachments) return;
    this.#attachments = new loaded.Attachments({
      gateway: this.#gateway(),
      session: () => this.#session?.session,
      frame: /** @type {HTMLElement} */ (this.#root.firstElementChild),
      composer,
      say: (text) => this.#announcer.sayText(text),
      signal: this.#life.signal,
    });
    this.#renderSoon();
  }

  /** What the guest has taken back or sent anew, here or in another tab, is not shown any more. */
  #showReplaced() {
    const clientIds = this.#memory?.replaced;
    if (clientIds?.length) this.#dispatch({ type: "replaced", clientIds });
  }

  /** @param {string} clientId */
  #replace(clientId) {
    this.#session?.discard(clientId);
    this.#showReplaced();
  }

  /**
   * Take a message back into the composer, before what is there.
   *
   * @param {MessageRow} row
   */
  #edit({ text, clientId }) {
    const { composer } = this.#parts ?? {};
    if (!composer || !this.#memory) return;
    composer.text = [text, composer.text].filter(Boolean).join("\n");
    this.#memory.draft = composer.text;
    this.#replace(clientId ?? "");
  }

  /**
   * @param {string} text
   * @param {ContentItem[]} [content]
   * @param {string} [inReplyTo]
   */
  #send(text, content, inReplyTo) {
    if (!this.#session || !this.#state.hasConnected || this.#state.isEnding) return false;
    try {
      this.#session.send(text, content, inReplyTo);
      return true;
    } catch (error) {
      this.#refuse(error);
      return false;
    }
  }

  /** @param {"stay" | "clear"} what */
  #ask(what) {
    try {
      this.#session?.ask(what);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @param {unknown} error */
  #refuse(error) {
    if (!(error instanceof RejectedError)) throw error;
    const code = error.code === "local-protocol" ? "connection-lost" : error.code;
    if (code === "message-blank") return;
    this.#dispatch({ type: "problem", code });
    this.#tell("error", { code });
  }

  /**
   * @param {"end" | "clear"} what
   * @param {() => void} act
   */
  async #confirm(what, act) {
    if (!(await this.#dialog.ask(this.#words, what))) return;
    this.#wantsFocus = true;
    act();
  }

  /**
   * A control that is gone gives the focus to the composer; so does a chat that the guest has ended or begun, unless the
   * guest has gone elsewhere in the page meanwhile.
   *
   * @param {Element | null} focused What had it before this drawing.
   */
  #keepFocus(focused) {
    const { composer } = this.#parts ?? {};
    const isReady = this.#wantsFocus && composer?.takesFocus;
    const isElsewhere = focused === null && document.activeElement !== document.body;
    if (isGone(focused) || (isReady && !isElsewhere)) this.#takeFocus();
    if (isReady) this.#wantsFocus = false;
  }

  /** The composer takes the focus, or what there is of it. */
  #takeFocus() {
    const { composer, transcript } = this.#parts ?? {};
    composer?.focus();
    if (!composer?.contains(this.#root.activeElement)) transcript?.focus();
  }

  /**
   * @param {string} what
   * @param {unknown} detail
   */
  #tell(what, detail) {
    this.dispatchEvent(new CustomEvent(`guest-chat-${what}`, { bubbles: true, composed: true, detail }));
  }

  // --- state and drawing

  /** @param {UiEvent} event */
  #dispatch(event) {
    this.#state = reduce(this.#state, event, CLOCK.today());
    this.#renderSoon();
  }

  /** Draw once for all that happens in this task. */
  #renderSoon() {
    if (this.#isRenderDue || !this.#parts) return;
    this.#isRenderDue = true;
    queueMicrotask(() => {
      this.#isRenderDue = false;
      this.#render();
    });
  }

  #render() {
    if (!this.#parts) return;
    this.#chooseWords();
    const now = CLOCK.today();
    const view = {
      state: this.#state,
      words: this.#words,
      now,
      heading: this.getAttribute("heading") ?? "",
      maxTextBytes: this.#session?.maxTextBytes ?? MAX_TEXT_BYTES,
      base: this.#gateway(),
      dialect: this.#state.terms === NO_TERMS ? PLAIN : this.#dialect,
    };
    const { composer } = this.#parts;
    const focused = this.#root.activeElement;
    for (const part of Object.values(this.#parts)) part.view = view;
    if (this.#attachments) this.#attachments.view = view;
    for (const announcement of this.#state.announcements) this.#announcer.say(announcement, this.#words, view.dialect);
    this.#state = reduce(this.#state, { type: "announced" }, now);
    if (!composer.isOn) this.#dialog.close();
    this.#keepFocus(focused);
    if (this.#state.isAtEnd && document.visibilityState === "visible") this.#session?.read();
    CLOCK.clearTimer(this.#timer);
    const deadline = this.#life && nextDeadline(this.#state, now);
    if (deadline === undefined) return;
    this.#timer = CLOCK.setTimer(() => this.#dispatch({ type: "time-passed" }), Math.max(0, deadline - now) + 1);
  }

  /** Dates follow the page where they can; words are English so far, and say so. */
  #chooseWords() {
    const lang = nearestLang(this);
    const wanted = /^en\b/iu.test(lang) ? lang : "en";
    if (wanted !== this.#words.lang) this.#words = new Words(wanted, en);
    setAttributes(/** @type {Element} */ (this.#root.firstElementChild), {
      lang: this.#words.lang,
      "aria-label": this.getAttribute("heading") || this.#words.say("heading"),
    });
  }
}

/**
 * Whether a control that had the focus can't keep it.
 *
 * @param {Element | null} focused
 */
function isGone(focused) {
  if (focused === null) return false;
  return !focused.isConnected || focused.closest("[hidden], dialog:not([open])") !== null || focused.matches(":disabled");
}

for (const [name, attribute] of Object.entries(REFLECTED)) {
  Object.defineProperty(GuestChatElement.prototype, name, {
    configurable: true,
    enumerable: true,
    get() {
      return this.getAttribute(attribute) ?? "";
    },
    set(value) {
      setAttributes(this, { [attribute]: value ?? undefined });
    },
  });
}

/**
 * @param {Element} element
 * @returns {string} The nearest `lang`, looking out of shadow roots too.
 */
function nearestLang(element) {
  const holder = element.closest("[lang]");
  if (holder) return holder.getAttribute("lang") ?? "";
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? nearestLang(root.host) : "";
}
