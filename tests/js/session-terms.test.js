/** What holds in a session, as the UI shows it: features, the end of its time, the queue, who is there, what is answered. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { RelayLink, Position } from "../../src/guestwire/web/widget/core/relay.js";
import { decodeFrame } from "../../src/guestwire/web/widget/core/decode.js";
import { answersIn, composerMode, reasonOf, shownRows } from "../../src/guestwire/web/widget/core/shown.js";
import { INITIAL_STATE } from "../../src/guestwire/web/widget/core/state.js";
import { reduce } from "../../src/guestwire/web/widget/core/store.js";
import { bannerOf, EXPIRY_WARNING_MS, MINUTE_MS } from "../../src/guestwire/web/widget/core/trouble.js";
import { nextDeadline } from "../../src/guestwire/web/widget/core/waits.js";

/** @import { UiEvent, UiState } from "../../src/guestwire/web/widget/core/state.js" */

/** @param {UiEvent[]} events @param {UiState} [state] @param {number} [now] */
const after = (events, state = INITIAL_STATE, now = 0) => events.reduce((current, event) => reduce(current, event, now), state);

/** @type {UiEvent} */
const CONNECTED = { type: "status", status: "connected" };
/** @type {UiEvent} */
const WAITING = { type: "conversation-update", status: "waiting" };
/** @type {(more?: object) => UiEvent} */
const terms = (more = {}) => ({ type: "terms", features: ["stay"], readOnly: false, ...more });
const HOUR = 60 * MINUTE_MS;

/** @param {object} frame */
function eventsOf(frame) {
  const session = { sessionId: "s", token: "t", webSocketUrl: "", extensions: [] };
  return new RelayLink(new Position(), session, 0).frameReceived(decodeFrame(JSON.stringify(frame)), 0).events;
}

test("a session frame is understood member by member, also before the log is there", () => {
  const frame = { type: "session", features: ["clear"], limits: { attachments: { maxBytes: 10, types: ["IMAGE/*", 7], blockedExtensions: [".EXE"] } }, readOnly: false, expiresAt: "1970-01-01T00:00:01Z", bot: { name: "Otto", avatar: 7 }, colour: "red" };
  assert.deepEqual(eventsOf(frame), [
    { type: "terms", features: ["clear"], readOnly: false, files: { maxBytes: 10, types: ["image/*"], blockedExtensions: [".exe"] }, expiresAt: 1000, bot: { name: "Otto" } },
  ]);
  assert.deepEqual(eventsOf({ type: "session", features: [], limits: {}, readOnly: true, colour: "#22577A" }), [{ type: "terms", features: [], readOnly: true, colour: "#22577A" }]);
});

describe("the end of the session's time", () => {
  const state = after([CONNECTED, terms({ expiresAt: HOUR })]);

  test("nothing is said before the last five minutes, then minute by minute, with a way to stay", () => {
    assert.equal(bannerOf(state, HOUR - EXPIRY_WARNING_MS - 1), undefined);
    assert.equal(nextDeadline(state, 0), HOUR - EXPIRY_WARNING_MS);
    const at = HOUR - EXPIRY_WARNING_MS;
    assert.deepEqual(bannerOf(state, at), { level: "warning", code: "expiring", waitMin: 5, action: "stay" });
    assert.equal(nextDeadline(state, at), at + MINUTE_MS);
    assert.equal(bannerOf(state, HOUR - 1)?.waitMin, 1);
    assert.equal(nextDeadline(state, HOUR - 1), HOUR);
  });

  test("it is announced once, and not as a lost connection", () => {
    const warned = after([{ type: "time-passed" }, { type: "time-passed" }], state, HOUR - MINUTE_MS);
    assert.deepEqual(warned.announcements.map(({ what, code }) => code ?? what), ["connected", "expiring"]);
    const stayed = after([terms({ expiresAt: 2 * HOUR })], warned, HOUR - MINUTE_MS);
    assert.deepEqual(stayed.announcements.length, 2);
  });

  test("without the feature there is no button; past it a new chat is offered", () => {
    assert.equal(bannerOf(after([terms({ features: [], expiresAt: HOUR })], state), HOUR - 1)?.action, undefined);
    assert.deepEqual(bannerOf(state, HOUR), { level: "warning", code: "expired", action: "start-new" });
  });

  test("an ended chat has no time", () => {
    assert.equal(bannerOf(after([{ type: "conversation-update", status: "ended" }], state), HOUR), undefined);
  });
});

test("read-only closes the composer and says why; a new conversation opens it", () => {
  const closed = after([CONNECTED, terms({ readOnly: true })]);
  assert.deepEqual([composerMode(closed), reasonOf(closed)], ["ended", "read-only"]);
  assert.equal(composerMode(after([terms()], closed)), "on");
});

test("the place in the queue is shown and said when it changes, and goes with the wait", () => {
  const state = after([CONNECTED, WAITING, { type: "conversation-update", position: 3, estimatedWait: 120 }, { type: "conversation-update", position: 3 }]);
  assert.deepEqual(state.queue, { position: 3 });
  assert.equal(state.announcements.filter(({ what }) => what === "queue").length, 1);
  assert.equal(after([{ type: "conversation-update", status: "connected", agentName: "Ada" }], state).queue, undefined);
});

test("a person who takes over from a bot is announced as one, an agent after an agent is not", () => {
  /** @type {UiEvent[]} */
  const events = [WAITING, { type: "message", from: "bot", text: "Hi" }, { type: "conversation-update", status: "connected", agentName: "Ada", agentAvatar: "https://a.example/a.png" }];
  const state = after(events);
  assert.deepEqual(state.transcript.rows.at(-1), { kind: "notice", notice: "handover", name: "Ada" });
  assert.equal(state.agentAvatar, "https://a.example/a.png");
  const next = after([{ type: "conversation-update", status: "connected", agentName: "Bo" }], state);
  assert.deepEqual([next.transcript.rows.at(-1), next.agentAvatar], [{ kind: "notice", notice: "joined", name: "Bo" }, undefined]);
});

test("what the guest has cleared is gone, from a reset or live, and that is said", () => {
  const before = after([{ type: "session", extensions: ["hello"] }, CONNECTED, { type: "message", from: "bot", text: "x", seq: 1 }]);
  /** @type {UiEvent} */
  const cleared = { type: "conversation-update", status: "ended", reason: "cleared", seq: 2 };
  for (const event of [cleared, /** @type {UiEvent} */ ({ type: "reset", isNewSession: false, events: [cleared] })]) {
    const state = after([event], before);
    assert.deepEqual(state.transcript.rows, [{ kind: "notice", notice: "ended" }]);
    assert.deepEqual([state.announcements.at(-1), reasonOf(after([terms({ readOnly: true })], state))], [{ what: "cleared" }, "cleared"]);
  }
  assert.equal(after([{ type: "reset", isNewSession: false, events: [cleared] }]).announcements.length, 0, "nothing was shown, nothing is said");
});

test("an answer is known by what it names, in its frame or in its content; one that failed is none", () => {
  /** @type {UiEvent[]} */
  const events = [
    { type: "message", from: "bot", text: "?", providerId: "p1" },
    { type: "message", from: "guest", text: "a", inReplyTo: "p1" },
    { type: "message", from: "guest", text: "b", content: [{ contentType: "Form", form: { originatingMessageId: "p2" } }] },
    { type: "message", from: "guest", text: "c", clientId: "c3", inReplyTo: "p3" },
    { type: "receipt", clientId: "c3", status: "failed" },
    { type: "message", from: "bot", text: "d", inReplyTo: "p4" },
  ];
  const answers = answersIn(shownRows(after(events)));
  assert.deepEqual([...answers].map(([id, { text }]) => [id, text]), [["p1", "a"], ["p2", "b"]]);
});

test("a bot that has asked is waited for by nobody", () => {
  /** @type {UiEvent} */
  const asked = { type: "message", from: "bot", text: "?", content: [{ contentType: "ListPicker" }] };
  assert.equal(after([asked, WAITING]).waitingSince, undefined);
  assert.equal(after([asked, WAITING, { type: "message", from: "guest", text: "!" }], INITIAL_STATE, 7).waitingSince, 7);
});

test("ten thousand messages are replayed at once, and the next one costs next to nothing", () => {
  /** @type {import("../../src/guestwire/web/widget/core/types.js").ChatEvent[]} */
  const events = [];
  for (let seq = 1; seq <= 20_000; seq += 2) {
    events.push({ type: "message", from: "guest", text: "x", clientId: `c${seq}`, id: `m${seq}`, seq });
    events.push({ type: "receipt", clientId: `c${seq}`, status: "delivered", messageSeq: seq, seq: seq + 1, orderKey: String(seq).padStart(9, "0") });
  }
  const started = performance.now();
  let state = after([{ type: "reset", isNewSession: false, events }]);
  const shown = shownRows(state);
  assert.equal(shown.length, 10_000);
  for (let n = 0; n < 100; n += 1) {
    state = after([{ type: "message", from: "bot", text: "y", id: `b${n}` }], state);
    shownRows(state);
  }
  assert.ok(performance.now() - started < 10_000);
  assert.equal(shownRows(state).length, 10_100);
  assert.equal(shownRows(state)[0], shown[0]);
  assert.equal(shown.length, 10_000, "what was handed out is not changed");
});
