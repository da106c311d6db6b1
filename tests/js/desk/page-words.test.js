import assert from "node:assert/strict";
import { test } from "node:test";

import { createFormat } from "../../../src/guestwire/web/desk/core/format.js";
import { SHORTCUTS, commandFor } from "../../../src/guestwire/web/desk/core/keys.js";
import { news } from "../../../src/guestwire/web/desk/core/news.js";
import { initialState } from "../../../src/guestwire/web/desk/core/reduce.js";
import { transcriptRows } from "../../../src/guestwire/web/desk/core/rows.js";
import { imageUrl, paramLabel, safeUrl } from "../../../src/guestwire/web/desk/core/text.js";
import { en } from "../../../src/guestwire/web/desk/locales/en.js";
import { NOW, after, changed, conversation, entry, seated, snapshot } from "./support.js";

const SCRIPT = ["javascript", "alert(1)"].join(":");
const format = createFormat("en-GB", "UTC");

test("rows: a divider for each day, one heading for words said together", () => {
  const day = 86_400_000;
  const said = [
    entry({ at: NOW }), entry({ at: NOW + 1000 }), entry({ at: NOW + 200_000 }),
    entry({ at: NOW + 201_000, from: "agent", name: "Ada" }), entry({ at: NOW + 202_000, from: "agent", name: "Grace" }),
    entry({ at: NOW + 203_000, from: "system" }), entry({ at: NOW + day }),
  ];
  const rows = transcriptRows(said, [{ id: "p", text: "…", at: NOW + day + 1 }], format.dayOf);
  assert.deepEqual(rows.map((row) => (row.kind === "message" ? row.isFirst : row.kind)), ["day", true, false, true, true, true, "system", "day", true, true]);
  assert.equal(new Set(rows.map((row) => row.key)).size, rows.length);
  assert.deepEqual(rows.map((row) => row.kind === "message" && row.isPending).filter(Boolean), [true]);
});

test("news: who begins to wait, and what guests say where it matters", () => {
  const mine = conversation({ id: "m", stage: "agent", agentId: "a1" });
  const before = after(seated(mine, conversation({ id: "o", stage: "agent", agentId: "a2" })), { type: "selected", conversationId: "m" });
  const later = changed(before, { type: "conversation", conversation: conversation({ id: "w" }) },
    { type: "entry", conversationId: "m", entry: entry() }, { type: "entry", conversationId: "m", entry: entry({ from: "agent" }) },
    { type: "entry", conversationId: "m", entry: entry({ from: "system" }) }, { type: "entry", conversationId: "o", entry: entry() });
  assert.deepEqual(news(before, later).map((one) => `${one.kind} ${one.conversation.id}`), ["message m", "system m", "waiting w"]);
  assert.deepEqual(news(later, later), []);
});

test("news: a conversation of mine that ends unseen is told, an open one is seen", () => {
  const mine = conversation({ id: "m", stage: "agent", agentId: "a1" });
  const over = /** @type {const} */ ({ type: "conversation", conversation: { ...mine, stage: "ended" } });
  const state = seated(mine);
  assert.deepEqual(news(state, changed(state, over)).map((one) => one.kind), ["ended"]);
  const open = after(state, { type: "selected", conversationId: "m" });
  assert.deepEqual(news(open, changed(open, over)), []);
});

test("news: the first snapshot is none", () => {
  const fresh = initialState();
  assert.deepEqual(news(fresh, changed(fresh, snapshot({ conversations: [conversation({ id: "w" })] }))), []);
});

test("keys: shortcuts are unique, have words, and leave typing alone", () => {
  const press = { key: "", code: "", altKey: false, ctrlKey: false, metaKey: false };
  assert.equal(new Set(SHORTCUTS.map((one) => `${one.isAlt} ${one.key}`)).size, SHORTCUTS.length);
  for (const one of SHORTCUTS) {
    assert.ok(en.dialog.shortcuts[one.command]);
    assert.equal(commandFor({ ...press, key: one.key, altKey: one.isAlt }, false), one.command);
  }
  assert.equal(commandFor({ ...press, key: "?" }, true), undefined);
  assert.equal(commandFor({ ...press, key: "a" }, false), undefined);
  assert.equal(commandFor({ ...press, key: "a", altKey: true, ctrlKey: true }, false), undefined, "AltGr");
  assert.equal(commandFor({ ...press, key: "å", code: "KeyA", altKey: true }, false), "accept-next", "Option on a Mac");
  assert.equal(commandFor({ ...press, key: "@", code: "KeyL", altKey: true }, true), undefined, "Option makes a character");
  assert.equal(commandFor({ ...press, key: "q", code: "KeyA", altKey: true }, true), "queue", "another layout: the letter decides");
});

test("text: only safe addresses are followed and only pictures of the web or of this site loaded", () => {
  for (const bad of [undefined, "", "/path", SCRIPT, ` ${SCRIPT}`, "data:text/html,x", "vbscript:x"]) assert.equal(safeUrl(bad), undefined);
  assert.equal(safeUrl("mailto:a@example.com"), "mailto:a@example.com");
  assert.deepEqual(["/a.png", "//evil.example/a.png", "https://x.example/a.png", "mailto:a@x", "data:image/png,"].map(imageUrl),
    ["/a.png", undefined, "https://x.example/a.png", undefined, undefined]);
});

test("text: names of fault parameters become words and a unit", () => {
  assert.deepEqual(paramLabel("delayMs"), { label: "Delay", unit: "ms" });
  assert.deepEqual(paramLabel("retryAfterS"), { label: "Retry after", unit: "s" });
  assert.deepEqual(paramLabel("count"), { label: "Count", unit: "" });
  assert.deepEqual(paramLabel("s"), { label: "S", unit: "" });
});

test("format: spans, days and times in the reader's language", () => {
  assert.deepEqual([format.span(-5), format.span(67_000), format.span(3_723_000)], ["0:00", "1:07", "1:02:03"]);
  assert.deepEqual([format.day(NOW, NOW), format.day(NOW - 86_400_000, NOW)], ["Today", "Yesterday"]);
  assert.match(format.day(NOW - 9 * 86_400_000, NOW), /25 April/u);
  assert.equal(format.time(NOW), "12:00");
  assert.deepEqual([0, 999, 1500, 48_213, 10_240_000].map(format.bytes), ["0 byte", "999 byte", "1.5 kB", "48 kB", "10 MB"]);
});
