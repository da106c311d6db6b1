/** Text to a tree: links are found, nothing is lost, nothing dangerous gets through. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parseRichText, plainText, safeImageUrl, safeUrl } from "../../src/guestwire/web/widget/core/richtext.js";

const SCRIPT = ["JaVaScRiPt", "alert(1)"].join(":");

/** @param {string} text */
function linksOf(text) {
  return parseRichText(text).flatMap((node) => (node.type === "link" ? [[plainText(node.children), node.href]] : []));
}

test("links are found and the sentence around them is left alone", () => {
  const cases = /** @type {[string, string[][]][]} */ ([
    ["See https://example.com/a?b=c#d.", [["https://example.com/a?b=c#d", "https://example.com/a?b=c#d"]]],
    ["(http://example.com)", [["http://example.com", "http://example.com/"]]],
    ["https://en.wikipedia.org/wiki/Wire_(disambiguation)", [["https://en.wikipedia.org/wiki/Wire_(disambiguation)", "https://en.wikipedia.org/wiki/Wire_(disambiguation)"]]],
    ["www.example.com, then", [["www.example.com", "http://www.example.com/"]]],
    ["ask help@example.com!", [["help@example.com", "mailto:help@example.com"]]],
    ["call tel:+4612345 now", [["tel:+4612345", "tel:+4612345"]]],
    ["a https://a.example and https://b.example", [["https://a.example", "https://a.example/"], ["https://b.example", "https://b.example/"]]],
  ]);
  for (const [text, links] of cases) assert.deepEqual(linksOf(text), links, text);
});

test("what is no link stays text", () => {
  for (const text of ["", "plain", SCRIPT, "data:text/html,x", "file:///etc/passwd", "mailto:", "tel:", "www.", "https://", "a@b", "x.y.z"]) {
    assert.deepEqual(linksOf(text), [], text);
  }
});

test("the tree's text is the text", () => {
  for (const text of ["", "a https://example.com. b", "<b>x</b> & www.example.com", "é😀 mailto:a@b.example\nnext"]) {
    assert.equal(plainText(parseRichText(text)), text);
  }
});

test("only four schemes may be followed, only two fetched", () => {
  assert.equal(safeUrl("https://example.com"), "https://example.com/");
  assert.equal(safeUrl("tel:+1"), "tel:+1");
  for (const bad of [SCRIPT, ` ${SCRIPT}`, "data:,x", "//example.com", "/a", "", null, 7, {}]) {
    assert.equal(safeUrl(bad), undefined, String(bad));
  }
  assert.equal(safeImageUrl("mailto:a@b.example"), undefined);
  assert.equal(safeImageUrl("http://example.com/a.png"), "http://example.com/a.png");
});

test("a link ends where the direction of the text is turned", () => {
  assert.deepEqual(linksOf("https://a.example/\u202emoc.live"), [["https://a.example/", "https://a.example/"]]);
});

test("closing brackets are cut only as far as they were not opened inside", () => {
  assert.deepEqual(linksOf("(see http://a.example/b_(c)))."), [["http://a.example/b_(c)", "http://a.example/b_(c)"]]);
  assert.deepEqual(linksOf("[http://a.example/(x].)"), [["http://a.example/(x].)", "http://a.example/(x].)"]]);
});

test("hostile text takes no longer than other text", () => {
  const started = performance.now();
  for (const text of [`http://${")".repeat(60_000)}`, "(".repeat(4096), `http://${")".repeat(4090)}`, "a@".repeat(2048), "www.".repeat(1024), "a.".repeat(2048)]) {
    assert.equal(plainText(parseRichText(text)), text);
  }
  assert.ok(performance.now() - started < 1000);
});
