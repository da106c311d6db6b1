/** Draw the tree of core/richtext.js. */

/** @import { RichNode } from "../core/richtext.js" */

import { el, setAttributes } from "./dom.js";

/** @type {Record<"bold" | "italic" | "strike" | "mark" | "code", keyof HTMLElementTagNameMap>} */
const TAGS = { bold: "strong", italic: "em", strike: "s", mark: "mark", code: "code" };

/**
 * @param {RichNode[]} nodes
 * @returns {(Node | string)[]}
 */
export function drawRichText(nodes) {
  return nodes.map((node) => {
    switch (node.type) {
      case "text":
        return node.text;
      case "code-block":
        // It may be wider than the bubble: who has no pointer scrolls it with the keys.
        return el("pre", { tabindex: 0 }, el("code", {}, node.text));
      case "link": {
        const link = drawLink(node.href, ...drawRichText(node.children));
        setAttributes(link, { title: node.title });
        return link;
      }
      default:
        return el(TAGS[node.type], {}, ...("children" in node ? drawRichText(node.children) : [node.text]));
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
