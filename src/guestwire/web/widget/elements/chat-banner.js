/** @import { View } from "./view.js" */

import { bannerOf } from "../core/trouble.js";
import { errorWords } from "./announcer.js";
import { el, icon, register, request, setAttributes, setText } from "./dom.js";

/** What stands in the guest's way: what happened, the next step, and a button for it. */
export class ChatBannerElement extends HTMLElement {
  static define(tag = "guest-chat-banner", registry = customElements) {
    register(this, tag, registry);
  }

  #title = el("strong", { class: "banner-title" });
  #next = el("span", { class: "banner-next" });
  #wait = el("span", { class: "banner-wait" });
  #button = el("button", { type: "button", class: "button", part: "button banner-button" });
  /** @type {string | undefined} */
  #action;

  connectedCallback() {
    if (this.firstChild) return;
    this.hidden = true;
    this.append(
      icon("alert"),
      el("p", { class: "banner-text", dir: "auto" }, this.#title, " ", this.#next, " ", this.#wait),
      this.#button,
    );
    this.#button.addEventListener("click", () => request(this, `chat-${this.#action}`));
  }

  /** @param {View} view */
  set view({ state, words, now }) {
    const banner = bannerOf(state, now);
    this.#action = banner?.action;
    if (!banner) {
      setAttributes(this, { hidden: true });
      return;
    }
    const { level, code, text, waitS, waitMin, action } = banner;
    const [title, next] = errorWords(words, code, text);
    setText(this.#title, title);
    setText(this.#next, next);
    const wait = waitMin ? words.say("wait.expiring", { n: waitMin }) : "";
    setText(this.#wait, waitS ? words.say(action === "dismiss" ? "wait.problem" : "wait.warning", { n: waitS }) : wait);
    setText(this.#button, action ? words.say(action) : "");
    setAttributes(this.#button, { hidden: !action });
    setAttributes(this, { "data-level": level, "data-code": code, hidden: false });
  }
}
