/** Frames that no vector names: the edges of the decoder itself. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeFrame, parseTime, utf8Length } from "../../src/guestwire/web/widget/core/decode.js";

test("a type that is a member of every object is unknown, not a crash", () => {
  for (const type of ["constructor", "__proto__", "toString"]) {
    const { event } = decodeFrame(JSON.stringify({ type }));
    assert.deepEqual(event, { type: "unknown", reason: "unknown-type", raw: JSON.stringify({ type }) });
  }
});

test("no prefix of a frame throws", () => {
  const text = JSON.stringify({ type: "message", from: "agent", text: "ü😀", timestamp: "2023-10-27T10:00:00Z", content: [{}] });
  for (let end = 0; end < text.length; end += 1) assert.equal(decodeFrame(text.slice(0, end)).event?.type, "unknown");
  assert.equal(decodeFrame(text).event?.type, "message");
});

test("frames that only steer the connection are frames without an event", () => {
  assert.deepEqual(decodeFrame('{"type":"move","retryAfter":2,"x":1}'), { frame: { type: "move", retryAfter: 2 } });
  assert.equal(decodeFrame('{"type":"synced"}').event?.type, "unknown");
});

test("times are ISO 8601 only, in UTC without a zone", () => {
  assert.equal(parseTime("1970-01-01T00:00:01Z"), 1000);
  assert.equal(parseTime("1970-01-01T00:00"), 0);
  assert.equal(parseTime("1970-01-01T00:00:00.5-01:30"), 5_400_500);
  assert.equal(parseTime("2024-02-29T23:59:59Z"), 1_709_251_199_000);
  for (const text of [undefined, "", "today", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-01-01", "0000-01-01T00:00Z", "2023-01-01T24:00Z"]) {
    assert.equal(parseTime(text), undefined, String(text));
  }
});

test("lengths are those of UTF-8", () => {
  for (const text of ["", "a", "é", "€", "😀", "a\ud800b", "x".repeat(5000)]) {
    assert.equal(utf8Length(text), new TextEncoder().encode(text).length);
  }
});
