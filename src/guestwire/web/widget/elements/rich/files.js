/** Files in a message: pictures that can be looked at large, the rest as a row with its size. */

/** @import { File, FilesBlock } from "../../core/content.js" */
/** @import { Place } from "./draw.js" */

import { el, icon } from "../dom.js";
import { drawLink } from "../rich-text.js";
import { drawImage } from "./draw.js";

/**
 * @param {FilesBlock} block
 * @param {Place} place
 */
export function drawFiles({ files }, place) {
  return el("div", { class: "files", part: "files" }, ...files.map((file) => drawFile(file, place)));
}

/**
 * @param {File} file
 * @param {Place} place
 * @returns {HTMLElement}
 */
function drawFile(file, place) {
  const { name, kind, href, size, text } = file;
  const { words } = place;
  if (kind === "image" && href) {
    const view = words.say("file.view", { name: text ?? name });
    const button = el("button", { type: "button", class: "picture", part: "picture", "aria-label": view, title: view });
    const image = drawImage(href, "picture-image");
    // What is no picture, or has gone, is a file like any other.
    image.addEventListener("error", () => button.replaceWith(drawFile({ ...file, kind: "file" }, place)), { once: true });
    button.append(image);
    button.addEventListener("click", () => show(button, { ...file, href }, words));
    return button;
  }
  const about = [words.say(`file.${kind}`), ...(size === undefined ? [] : [words.size(size)])].join(", ");
  const parts = [icon("file"), el("span", { class: "file-words" }, el("bdi", { class: "file-name" }, name), " ", el("small", { class: "file-about" }, el("bdi", {}, about)))];
  if (!href) return el("p", { class: "file", part: "file" }, ...parts);
  const link = drawLink(href, ...parts);
  link.className = "file";
  link.part.add("file");
  return link;
}

/**
 * Show a picture above everything else of the page, as large as there is room.
 *
 * @param {HTMLElement} button
 * @param {File & { href: string }} file
 * @param {Place["words"]} words
 */
function show(button, { name, href, text }, words) {
  const name_ = words.say("file.close");
  const close = el("button", { type: "submit", class: "viewer-close", "aria-label": name_, title: name_, autofocus: true }, icon("close"));
  const image = el("img", { class: "viewer-image", alt: text ?? name, referrerpolicy: "no-referrer" });
  image.src = href;
  const link = drawLink(href, words.say("file.open"));
  const dialog = el(
    "dialog",
    { class: "viewer", part: "viewer", "aria-label": name },
    el("form", { method: "dialog", class: "viewer-bar" }, el("bdi", { class: "viewer-name" }, text ?? name), link, close),
    image,
  );
  // Beside the image, not on it, is out of it.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  (button.closest(".frame") ?? button).append(dialog);
  dialog.showModal();
}
