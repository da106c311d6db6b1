/** Who may import whom in the widget: core ← io ← elements, and nobody reaches outside. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";

const WEB = new URL("../../src/guestwire/web/", import.meta.url);

/** Layer → what it may import from. The entry files may import all. */
const MAY_IMPORT = {
  "widget/core": ["widget/core"],
  "widget/locales": ["widget/locales"],
  "widget/io": ["widget/core", "widget/io"],
  "widget/elements": ["widget/core", "widget/io", "widget/elements", "widget/locales"],
};

/** @param {string} folder @returns {string[]} Paths below web/. */
function modulesIn(folder) {
  return readdirSync(new URL(folder, WEB), { recursive: true, encoding: "utf8" })
    .map((name) => posix.join(folder, name))
    .filter((path) => path.endsWith(".js") && statSync(new URL(path, WEB)).isFile());
}

/**
 * @param {string} path
 * @param {boolean} [isLazy] Whether what is imported on first need counts too.
 * @returns {string[]} What it imports, as paths below web/; type imports in comments are none.
 */
function importsOf(path, isLazy = true) {
  const code = readFileSync(new URL(path, WEB), "utf8").replaceAll(/\/\*[\s\S]*?\*\//gu, "");
  const specifiers = [...code.matchAll(/^(?:import|export)\b[^;"'(]*\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gmu)];
  return specifiers.flatMap(([, first, second, lazy]) => {
    const specifier = first ?? second ?? (isLazy ? lazy : undefined);
    if (!specifier) return [];
    assert.match(specifier, /^\.\.?\/.*\.js$/u, `${path} imports ${specifier}: only relative modules with their extension`);
    return posix.join(posix.dirname(path), specifier);
  });
}

for (const [layer, allowed] of Object.entries(MAY_IMPORT)) {
  test(`${layer} imports only ${allowed.join(", ")}`, () => {
    const modules = modulesIn(layer);
    assert.ok(modules.length > 0);
    for (const path of modules) {
      for (const imported of importsOf(path)) {
        assert.ok(allowed.some((folder) => imported.startsWith(`${folder}/`)), `${path} imports ${imported}`);
      }
    }
  });
}

/** Style sheets that are fetched on first need. */
const LAZY_SHEETS = ["files.css", "rich.css"];

test("the chat page preloads what the chat imports at once, and its style sheets", () => {
  const page = readFileSync(new URL("page/index.html", WEB), "utf8");
  const preloaded = [...page.matchAll(/<link rel="modulepreload" href="([^"]+)">/gu)].map(([, href]) => href);
  const imported = new Set(["guest-chat.js"]);
  for (const path of imported) for (const next of importsOf(path, false)) imported.add(next);
  imported.delete("guest-chat.js");
  assert.deepEqual(preloaded.toSorted(), [...imported].toSorted());
  const sheets = [...page.matchAll(/<link rel="preload" href="widget\/css\/([^"]+)" as="fetch" crossorigin="anonymous">/gu)];
  assert.deepEqual(sheets.map(([, name]) => name).toSorted(), readdirSync(new URL("widget/css", WEB)).filter((name) => !LAZY_SHEETS.includes(name)).toSorted());
});

test("the core knows no DOM, clock, chance or network", () => {
  const forbidden =
    /\b(?:window|document|navigator|location|localStorage|sessionStorage|fetch|WebSocket|setTimeout|setInterval|queueMicrotask|performance|crypto|HTMLElement|console)\b|\bMath\.random\b|\bDate\.now\b|\bnew Date\(\)/u;
  for (const path of modulesIn("widget/core")) {
    const code = readFileSync(new URL(path, WEB), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/gu, "");
    assert.doesNotMatch(code, forbidden, path);
  }
});
