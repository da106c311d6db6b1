/**
 * The files in the composer: each with its progress, what became of it, and the way to take it out.
 *
 * @import { Upload } from "../core/types.js"
 * @import { Words } from "../locales/en.js"
 * @import { Model } from "./parts.js"
 */

import { problemWords } from "./banner.js";
import { h, onPress, setAttribute, setText, show, syncChildren } from "./dom.js";
import { icon } from "./icons.js";
import { iconButton } from "./parts.js";

/**
 * @param {Words} words
 * @param {{ onRemove: (uploadId: string) => void }} intents
 */
export function createUploads(words, { onRemove }) {
  const element = h("ul", { class: "uploads", "aria-label": words.attachment.list, hidden: true });

  /** @param {Upload} upload */
  function create({ id, name, mime }) {
    const remove = iconButton("close", words.attachment.remove(name), "upload-remove");
    onPress(remove, () => onRemove(id));
    return h(
      "li",
      { class: "upload" },
      icon(mime.startsWith("image/") ? "image" : "file"),
      h("span", { class: "upload-words" }, h("span", { class: "file-name" }, h("bdi", {}, name)), h("span", { class: "upload-state" })),
      h("progress", { class: "upload-progress", max: 1, "aria-label": words.attachment.progress(name) }),
      remove,
    );
  }

  return {
    element,
    /** @param {Model} model @param {readonly Upload[]} uploads */
    update({ format }, uploads) {
      show(element, uploads.length > 0);
      syncChildren(element, uploads, (one) => one.id, create, (node, one) => {
        const bar = /** @type {HTMLProgressElement} */ (node.querySelector("progress"));
        const isOnTheWay = one.fileId === undefined && one.problem === undefined;
        const value = one.size > 0 ? Math.min(1, one.sent / one.size) : 0;
        if (bar.value !== value) bar.value = value;
        show(bar, isOnTheWay);
        setAttribute(node, "data-state", one.problem ? "failed" : isOnTheWay ? "sending" : "ready");
        setText(/** @type {Node} */ (node.querySelector(".upload-state")), one.problem ? problemWords(one.problem, words) : format.bytes(one.size));
      });
    },
  };
}
