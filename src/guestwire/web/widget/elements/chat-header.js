/** @import { Transcript } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { View } from "./view.js" */

import { composerMode } from "../core/shown.js";
import { shownStatus } from "../core/trouble.js";
import { drawAvatar } from "./avatar.js";
import { el, icon, register, request, setAttributes, setText } from "./dom.js";

/**
 * Who is there and how the connection is, in words; the way to end the chat. Below it runs the wire: a line that moves
 * while we connect, is whole while we are connected and broken when we are not.
 */
export class ChatHeaderElement extends HTMLElement {
  static define(tag = "guest-chat-header", registry = customElements) {
    register(this, tag, registry);
  }

  #mark = el("span", { class: "mark", part: "mark", "aria-hidden": "true" });
  #title = el("h2", { class: "title", part: "title" });
  #status = el("span", { class: "status-word" });
  #with = el("span", { class: "status-name" });
  #dot = el("span", { class: "status-dot", "aria-hidden": "true", hidden: true }, "·");
  #statusLine = el("p", { class: "status", part: "status" }, this.#status, " ", this.#dot, " ", el("span", { class: "status-with" }, this.#with));
  #end = el("button", { type: "button", class: "button quiet", part: "button end-button", hidden: true });
  #clear = el("button", { type: "button", class: "menu-item", part: "menu-item clear-button" });
  // In the top layer: Escape and a click beside it close it, the focus goes back, all by the browser.
  #menu = el("div", { class: "menu", part: "menu", popover: "auto", id: "menu" }, this.#clear);
  #more = el("button", { type: "button", class: "icon-button", part: "menu-button", popovertarget: "menu", hidden: true }, icon("more"));
  #wire = el("div", { class: "wire", part: "wire", "aria-hidden": "true" });
  #looks = "";

  connectedCallback() {
    if (this.firstChild) return;
    this.#mark.append(icon("wire"));
    this.append(
      this.#mark,
      el("div", { class: "names" }, this.#title, this.#statusLine),
      el("div", { class: "tools" }, this.#end, this.#more),
      this.#menu,
      this.#wire,
    );
    this.#end.addEventListener("click", () => request(this, "chat-end"));
    this.#clear.addEventListener("click", () => {
      this.#menu.hidePopover();
      request(this, "chat-clear");
    });
    this.#menu.addEventListener("beforetoggle", () => {
      const { bottom, left, right } = this.#more.getBoundingClientRect();
      const isRtl = getComputedStyle(this).direction === "rtl";
      this.#menu.style.insetBlockStart = `${bottom + 4}px`;
      this.#menu.style.insetInlineEnd = `${isRtl ? left : document.documentElement.clientWidth - right}px`;
    });
  }

  /** @param {View} view */
  set view({ state, words, now, heading }) {
    const { transcript, extensions, terms } = state;
    const mode = composerMode(state);
    const word = statusWord(state, now);
    const status = LOOKS[word] ?? shownStatus(state, now);
    setText(this.#title, heading || words.say("heading"));
    setText(this.#status, words.say(`status.${word}`));
    const who = word !== "connected" ? "" : state.isStuck ? words.say("with.nobody") : companion(transcript, words);
    setText(this.#with, who);
    setAttributes(this.#dot, { hidden: !who });
    setAttributes(this.#statusLine, { "data-status": status });
    setAttributes(this.#wire, { "data-status": status });
    setText(this.#end, words.say("end"));
    setAttributes(this.#end, { hidden: mode !== "on" || !extensions.includes("end") });
    const canClear = terms.features.includes("clear") && extensions.includes("clear") && shownStatus(state, now) === "connected";
    setText(this.#clear, words.say("clear"));
    setAttributes(this.#more, { hidden: !canClear || !transcript.rows.length, "aria-label": words.say("menu"), title: words.say("menu") });
    this.#showMark(transcript.agentName ?? "", state.agentAvatar);
  }

  /**
   * @param {string} name
   * @param {string} [url]
   */
  #showMark(name, url) {
    const looks = `${name} ${url ?? ""}`;
    if (looks === this.#looks) return;
    this.#looks = looks;
    this.#mark.replaceChildren(...drawAvatar({ name, url }));
  }
}

/** Words that look like another status. @type {Record<string, string>} */
const LOOKS = { ended: "ended", offline: "reconnecting", resting: "disconnected" };

/**
 * @param {View["state"]} state
 * @param {number} now
 * @returns {string} What the status line says: a key of the words.
 */
function statusWord(state, now) {
  const { status, troubleSince, hasConnected, error } = state;
  if (state.isEnding) return "ending";
  if (composerMode(state) === "ended") return "ended";
  if (status === "connected" && troubleSince !== undefined) return "offline";
  if (status === "failed" && error?.code === "too-many-tabs") return "resting";
  return status === "reconnecting" && !hasConnected ? "connecting" : shownStatus(state, now);
}

/**
 * Who is with the guest, or that somebody is waited for.
 *
 * @param {Transcript} transcript
 * @param {Words} words
 */
function companion({ status, agentName }, words) {
  if (status === "waiting") return words.say("with.waiting");
  return status === "connected" ? words.say("with.agent", { name: agentName ?? words.say("from.agent") }) : "";
}
