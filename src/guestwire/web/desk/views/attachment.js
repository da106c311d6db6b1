/**
 * A file in the transcript: its picture where it is one, its name, kind and size, and the way to have it.
 *
 * @import { Attachment } from "../core/types.js"
 * @import { Drawing } from "./parts.js"
 */

import { safeUrl } from "../core/text.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

/** What a browser draws without running anything in it. */
const PICTURES = /^image\/(?:png|jpeg|gif|webp|avif)$/u;

/**
 * @param {Attachment} file
 * @returns {string | undefined} The desk's own address of it: the one that guests get runs out.
 */
export function fileUrl({ id, url }) {
  return id ? `/desk/api/files/${encodeURIComponent(id)}` : safeUrl(url);
}

/** @param {Attachment} file @param {Drawing} drawing */
export function createAttachment(file, drawing) {
  const { words, format } = drawing;
  const url = fileUrl(file);
  const name = file.filename || words.attachment.unnamed;
  const facts = [file.mime, file.fileSize !== undefined && format.bytes(file.fileSize)].filter(Boolean).join(" · ");
  const preview = url !== undefined ? media(file, url, name, words) : undefined;
  const label = h("span", { class: "file-words" }, h("span", { class: "file-name" }, h("bdi", {}, name)), h("span", { class: "quiet" }, facts));
  return h(
    "figure",
    { class: "file" },
    preview,
    h(
      "figcaption",
      { class: "file-row" },
      icon(file.mime && PICTURES.test(file.mime) ? "image" : "file"),
      label,
      url !== undefined && h("a", { class: "icon-button file-get", href: url, download: name, "aria-label": words.attachment.download(name), title: words.attachment.download(name) }, icon("download")),
    ),
    Boolean(file.text) && h("p", { class: "file-caption", dir: "auto" }, file.text ?? ""),
  );
}

/** @param {Attachment} file @param {string} url @param {string} name @param {import("../locales/en.js").Words} words */
function media({ mime = "" }, url, name, words) {
  if (PICTURES.test(mime)) {
    const image = h("img", { class: "file-picture", alt: words.attachment.picture(name), referrerpolicy: "no-referrer", loading: "lazy", src: url });
    const link = h("a", { class: "file-open", href: url, target: "_blank", rel: "noopener noreferrer" }, image);
    image.addEventListener("error", () => link.remove(), { once: true });
    return link;
  }
  if (mime.startsWith("audio/")) return h("audio", { class: "file-sound", controls: true, preload: "none", src: url, "aria-label": name });
  if (mime.startsWith("video/")) return h("video", { class: "file-picture", controls: true, preload: "metadata", src: url, "aria-label": name });
  return undefined;
}
