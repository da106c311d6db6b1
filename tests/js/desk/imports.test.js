import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const DESK = fileURLToPath(new URL("../../../src/guestwire/web/desk/", import.meta.url));
/** The one module that the desk shares with the widget: what text means and which URLs may be followed is one thing. */
const SHARED = "../../widget/core/richtext.js";
/** Folder of the desk → folders it may import from; the files beside them import all. */
const ALLOWED = { core: ["core"], locales: ["core", "locales"], io: ["core", "io"], views: ["core", "locales", "views"] };

test("core has no DOM and no io, io has no views", () => {
  for (const [folder, allowed] of Object.entries(ALLOWED)) {
    for (const name of readdirSync(join(DESK, folder)).filter((one) => one.endsWith(".js"))) {
      const source = readFileSync(join(DESK, folder, name), "utf8");
      for (const [, path] of source.matchAll(/^(?:import|export) .* from "(.+)";$/gmu)) {
        if (path === SHARED && folder === "core") continue;
        const target = relative(DESK, join(DESK, folder, path ?? "")).split("/")[0] ?? "";
        assert.ok(allowed.includes(target), `${folder}/${name} imports ${path}`);
      }
      if (folder === "core") assert.doesNotMatch(source, /\b(?:document|window|localStorage|sessionStorage|fetch)\b[.(]/u, name);
    }
  }
});
