/** The dialect of web-messaging §6: what becomes what, what stays as it was written, and that nothing takes long. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parseRichText, plainText } from "../../src/guestwire/web/widget/core/richtext.js";

/** @import { RichNode } from "../../src/guestwire/web/widget/core/richtext.js" */

/** @type {Record<string, string>} */
const TAGS = { bold: "b", italic: "i", strike: "s", mark: "m", code: "c", "code-block": "pre" };

/** @param {RichNode[]} nodes @returns {string} */
function shown(nodes) {
  return nodes
    .map((node) => {
      if (node.type === "text") return node.text;
      if (node.type === "link") return `<a ${node.href}${node.title ? ` ${node.title}` : ""}>${shown(node.children)}</a>`;
      const tag = TAGS[node.type];
      return `<${tag}>${"children" in node ? shown(node.children) : node.text}</${tag}>`;
    })
    .join("");
}

/** @type {[string, string][]} */
const CASES = [
  ["*a* _b_ ~c~ ==d== `e`", "<b>a</b> <i>b</i> <s>c</s> <m>d</m> <c>e</c>"],
  ["*a _b ~c~_*", "<b>a <i>b <s>c</s></i></b>"],
  ["**x** ~~x~~ __x__ ``x``", "*<b>x</b>* ~<s>x</s>~ _<i>x</i>_ `<c>x</c>`"],
  ["5 * 3 * 2, ~ 7 ~ 8", "5 * 3 * 2, ~ 7 ~ 8"],
  ["a*b*c snake_case_name 3~4~5", "a<b>b</b>c snake_case_name 3<s>4</s>5"],
  ["*a\nb* _a\nb_", "<b>a\nb</b> _a\nb_"],
  ["\\*a\\* \\_ \\a C:\\", "*a* _ \\a C:\\"],
  ["`*a* _b_ https://a.example`", "<c>*a* _b_ https://a.example</c>"],
  ["` a ` ` `", "<c>a</c> <c> </c>"],
  ["x ```\nlet a = *b*;\n``` y", "x <pre>let a = *b*;</pre> y"],
  ["*a `*` b*", "<b>a <c>*</c> b</b>"],
  ["[t *b*](https://a.example/x_(y)_z \"Title\").", "<a https://a.example/x_(y)_z Title>t <b>b</b></a>."],
  ["[help](mailto:a@b.example) [call](tel:+1)", "<a mailto:a@b.example>help</a> <a tel:+1>call</a>"],
  ["https://a.example/a_b_c and *www.b.example*", "<a https://a.example/a_b_c>https://a.example/a_b_c</a> and <b><a http://www.b.example/>www.b.example</a></b>"],
  ["*see https://a.example/*x now*", "<b>see <a https://a.example/*x>https://a.example/*x</a> now</b>"],
  ["# a\n- b\n> c <b>d</b> <https://a.example>", "# a\n- b\n> c <b>d</b> <<a https://a.example/>https://a.example</a>>"],
  ["![i](https://a.example/i.png)", "![i](<a https://a.example/i.png>https://a.example/i.png</a>)"],
  ["*", "*"],
  ["** __ ~~ ==== ``", "** __ ~~ ==== ``"],
];

test("what is written and what is shown", () => {
  for (const [text, wanted] of CASES) assert.equal(shown(parseRichText(text, { markdown: true, isOutbound: true })), wanted, text);
});

test("a link that may not be followed stays as it was written", () => {
  for (const address of [["javascript", "alert(1)"].join(":"), "data:text/html,x", "ftp://a.example", "/relative", "//a"]) {
    const text = `[x](${address})`;
    assert.ok(!shown(parseRichText(text, { markdown: true })).includes(`<a ${address}`), text);
    assert.ok(plainText(parseRichText(text, { markdown: true })).startsWith("[x]("), text);
  }
});

test("the guest can't highlight; without the dialect there are links, and escapes where the platform has them", () => {
  assert.equal(shown(parseRichText("==a== *b*", { markdown: true })), "==a== <b>b</b>");
  assert.equal(shown(parseRichText("*a* `b` \\* www.a.example")), "*a* `b` \\* <a http://www.a.example/>www.a.example</a>");
  assert.equal(shown(parseRichText("*a* \\*", { escapes: true })), "*a* *");
});

test("what is read aloud has no marks", () => {
  assert.equal(plainText(parseRichText("*a* [b](https://a.example) `c`", { markdown: true })), "a b c");
});

test("hostile text takes no longer than other text", () => {
  const started = performance.now();
  for (const part of ["*", "_", "~", "[", "`", "*a ", "_a", "[a](", "*_~", "\\", "==", "*_a ", "_a _b ", "[[", "```"]) {
    parseRichText(`${part.repeat(Math.ceil(16_000 / part.length))}\n`, { markdown: true, isOutbound: true });
  }
  assert.ok(performance.now() - started < 3000);
});
