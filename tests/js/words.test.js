/** Words: every one that is asked for is there, and says what it should. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ERRORS } from "../../src/guestwire/web/widget/core/tables.js";
import { Words } from "../../src/guestwire/web/widget/core/words.js";
import { initialOf, nameOf } from "../../src/guestwire/web/widget/elements/view.js";
import en from "../../src/guestwire/web/widget/locales/en.js";

const words = new Words("en", en);

/** Codes that only a terminal, a setting or a server's own caller ever sees. */
const NOT_FOR_GUESTS = new Set([
  "bad-settings",
  "port-in-use",
  "oauth-refused",
  "scope-missing",
  "method-not-allowed",
  "tls-failed",
  "redirected",
  "bad-answer",
  "local-protocol",
  "too-large",
  "unsupported-media-type",
]);

test("every error that can reach a guest says what happened and what to do next", () => {
  for (const code of [...Object.keys(ERRORS), "offline", "not-connected"]) {
    if (NOT_FOR_GUESTS.has(code)) continue;
    assert.ok(words.has(`error.${code}`), `error.${code}`);
    assert.ok(words.has(`next.${code}`), `next.${code}`);
  }
});

test("a fetch that failed while online names both causes", () => {
  assert.match(words.say("error.blocked-or-unreachable"), /blocked \(CORS\) or unreachable/u);
});

test("plurals and numbers are the language's", () => {
  assert.equal(words.say("pill", { n: 1 }), "1 new message");
  assert.equal(words.say("pill", { n: 1234 }), "1,234 new messages");
});

test("values are filled in once, as they are", () => {
  assert.equal(words.say("notice.joined", { name: "{name} $& <b>" }), "{name} $& <b> has joined");
});

test("a value of the other direction can't reorder the sentence, and nothing turns it", () => {
  assert.equal(words.say("notice.joined", { name: "עדה" }), "\u2068עדה\u2069 has joined");
  assert.equal(words.say("notice.joined", { name: "\u202eEve" }), "\u2068Eve\u2069 has joined");
  assert.equal(words.say("say.message", { name: "עדה", text: "x" }), "עדה: x");
  assert.equal(new Words("he", en).say("notice.joined", { name: "Ada" }), "\u2068Ada\u2069 has joined");
  assert.equal(nameOf(words, "agent", "\u202e "), "Agent");
  assert.equal(initialOf("\u2067ada"), "A");
});

test("a missing word shows its key, an unknown language is English", () => {
  assert.equal(words.say("no.such.word"), "no.such.word");
  assert.equal(new Words("not a language", en).lang, "en");
});

test("days have names where people use them", () => {
  const now = new Date(2024, 4, 10, 12).getTime();
  assert.equal(words.day(new Date(2024, 4, 10, 0).getTime(), now), "Today");
  assert.equal(words.day(new Date(2024, 4, 9, 23).getTime(), now), "Yesterday");
  assert.equal(words.day(new Date(2024, 4, 8, 12).getTime(), now), "Wednesday, May 8");
});
