/**
 * Text as the guest's page formats it, drawn from the tree that the chat's own parser makes.
 *
 * @import { RichNode } from "../core/text.js"
 */

import { parseRichText } from "../core/text.js";
import { h } from "./dom.js";

const TAGS = /** @type {const} */ ({ bold: "strong", italic: "em", strike: "s", mark: "mark" });

/**
 * @param {string} text
 * @param {{ markdown: boolean, isOutbound: boolean }} options
 * @returns {(Node | string)[]}
 */
export function formatted(text, options) {
  return parseRichText(text, options).map(draw);
}

/** @param {RichNode} node @returns {Node | string} */
function draw(node) {
  switch (node.type) {
    case "link":
      return h("a", { href: node.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...node.children.map(draw));
    case "bold":
    case "italic":
    case "strike":
    case "mark":
      return h(TAGS[node.type], {}, ...node.children.map(draw));
    case "code":
      return h("code", {}, node.text);
    case "code-block":
      return h("pre", {}, h("code", {}, node.text));
    default:
      return node.text;
  }
}
