/** What the vectors don't say of the fold: that it changes nothing in place and needs no luck with order. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { applyEvent, EMPTY_TRANSCRIPT } from "../../src/guestwire/web/widget/core/transcript.js";

/** @import { ChatEvent } from "../../src/guestwire/web/widget/core/types.js" */

/** @type {ChatEvent[]} */
const CHAT = [
  { type: "conversation-update", status: "waiting" },
  { type: "message", from: "guest", text: "Hi", clientId: "c1", sentAt: 1 },
  { type: "typing", from: "agent" },
  { type: "receipt", clientId: "c1", status: "sent" },
  { type: "conversation-update", status: "connected", agentName: "Ada" },
  { type: "message", from: "agent", text: "Hello", id: "m1" },
  { type: "conversation-update", status: "ended" },
];

test("a transcript is never changed in place", () => {
  let transcript = EMPTY_TRANSCRIPT;
  for (const event of CHAT) {
    const before = structuredClone(transcript);
    const next = applyEvent(transcript, event);
    assert.deepEqual(transcript, before);
    transcript = next;
  }
});

test("rows that an event doesn't concern stay the same objects", () => {
  const before = CHAT.slice(0, 4).reduce(applyEvent, EMPTY_TRANSCRIPT);
  const after = CHAT.slice(4).reduce(applyEvent, before);
  assert.equal(after.rows[0], before.rows[0]);
});

test("events that don't show return the same transcript", () => {
  const before = CHAT.reduce(applyEvent, EMPTY_TRANSCRIPT);
  /** @type {ChatEvent[]} */
  const silent = [
    { type: "status", status: "reconnecting" },
    { type: "error", code: "rate-limited" },
    { type: "unknown", reason: "not-json", raw: "{" },
    { type: "receipt", clientId: "nobody", status: "read" },
    { type: "typing", from: "agent" },
  ];
  for (const event of silent) assert.equal(applyEvent(before, event), before);
});

test("a transcript of a thousand messages is folded in no time worth noting", () => {
  let transcript = EMPTY_TRANSCRIPT;
  for (let n = 0; n < 1000; n += 1) {
    transcript = applyEvent(transcript, { type: "message", from: "guest", text: "x", clientId: `c${n}` });
    transcript = applyEvent(transcript, { type: "receipt", clientId: `c${n}`, status: "sent" });
  }
  assert.equal(transcript.rows.length, 1000);
});
