/** Draw the tree of core/richtext.js. */

/** @import { RichNode } from "../core/richtext.js" */

import { el } from "./dom.js";

/**
 * @param {RichNode[]} nodes
 * @returns {(Node | string)[]}
 */
export function drawRichText(nodes) {
  return nodes.map((node) => {
    switch (node.type) {
      case "link":
        return drawLink(node.href, ...drawRichText(node.children));
      default:
        return node.text;
    }
  });
}

/**
 * @param {string} href Has passed `safeUrl`.
 * @param {(Node | string)[]} children
 */
export function drawLink(href, ...children) {
  return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", part: "link" }, ...children);
}
