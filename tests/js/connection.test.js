/** The connection core against its table, and what the vectors leave open. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GuestSessionClient } from "../../src/guestwire/web/widget/core/connection.js";
import { RejectedError } from "../../src/guestwire/web/widget/core/effects.js";
import { CLOSE_CODES, ERRORS, STATES, STATUS_OF } from "../../src/guestwire/web/widget/core/tables.js";

/** @param {string[]} [extensions] */
function session(extensions = ["typing", "end"]) {
  return { sessionId: "s1", token: "t", webSocketUrl: "ws://127.0.0.1/ws", extensions };
}

/** Ways to every state. @type {Record<string, (core: GuestSessionClient) => void>} */
const WAYS = {
  idle: () => {},
  authenticating: (core) => core.start(0),
  "creating-session": (core) => (WAYS.authenticating(core), core.authenticated()),
  connecting: (core) => (WAYS["creating-session"](core), core.sessionCreated(session(), 0)),
  checking: (core) => (WAYS.connecting(core), core.closed(1006, 0)),
  connected: (core) => (WAYS.connecting(core), core.opened(0)),
  waiting: (core) => (WAYS.connected(core), core.closed(1006, 0)),
  failed: (core) => (WAYS["creating-session"](core), core.attemptFailed({ code: "session-refused" }, 0)),
  closed: (core) => (WAYS.authenticating(core), core.stop()),
};

/** @param {string} state */
function coreIn(state) {
  const core = new GuestSessionClient({ delayS: () => 1 });
  WAYS[state](core);
  assert.equal(core.state, state);
  core.effects();
  core.events();
  return core;
}

describe("every state of the table", () => {
  for (const state of Object.keys(STATES)) {
    test(`${state} can be reached, says its status, and takes any frame and any text`, () => {
      const core = coreIn(state);
      assert.equal(core.status, STATUS_OF[state]);
      core.sendText("kept", 0, { clientId: "c1" });
      core.type(0);
      core.retryNow(0);
      core.timerDue(100);
      assert.deepEqual(core.events()[0], { type: "message", from: "guest", text: "kept", clientId: "c1" });
    });

    test(`${state} refuses what the table lacks and stays as it was`, () => {
      for (const [input, tell] of Object.entries({
        /** @param {GuestSessionClient} core */
        authenticated: (core) => core.authenticated(),
        /** @param {GuestSessionClient} core */
        opened: (core) => core.opened(0),
        /** @param {GuestSessionClient} core */
        "still-valid": (core) => core.stillValid(0),
      })) {
        const core = coreIn(state);
        if (STATES[state][input]) continue;
        assert.throws(() => tell(core), RejectedError);
        assert.equal(core.state, state);
        assert.deepEqual(core.events(), []);
      }
    });
  }
});

test("every close code and every error code leads somewhere", () => {
  for (const { code } of Object.values(CLOSE_CODES)) assert.ok(code in ERRORS, code);
  for (const code of Object.keys(CLOSE_CODES).map(Number)) {
    const core = coreIn("connected");
    core.closed(code, 0);
    assert.notEqual(core.state, "connected");
  }
  for (const code of [...Object.keys(ERRORS), "a-code-of-tomorrow"]) {
    const core = coreIn("creating-session");
    core.attemptFailed({ code }, 0);
    assert.ok(["waiting", "failed"].includes(core.state), code);
  }
});

test("an answer to rich content may have no text", () => {
  const core = coreIn("connected");
  const content = [{ contentType: "ButtonResponse", buttonResponse: { type: "Button", text: "", payload: "p" } }];
  core.sendText("", 0, { clientId: "c1", content });
  assert.deepEqual(core.effects(), [
    { type: "send-frame", text: JSON.stringify({ type: "message", text: "", content }), clientId: "c1" },
  ]);
});

describe("relay mode", () => {
  const RELAY = ["typing", "end", "hello", "resume", "receipts"];

  const ENDED = { type: "conversation-update", status: "ended", id: "m1", seq: 1 };
  const BUSY = { type: "error", code: "log-unavailable", retryAfter: 3 };

  /** @param {GuestSessionClient} core @param {number} now @param {object[]} frames */
  const hear = (core, now, ...frames) => frames.forEach((frame) => core.frameReceived(JSON.stringify(frame), now));

  /** @param {GuestSessionClient} core @returns {any[]} */
  const written = (core) =>
    core.effects().flatMap((effect) => (effect.type === "send-frame" ? [JSON.parse(effect.text)] : []));

  /** @param {object[]} frames What follows the welcome. */
  function connected(...frames) {
    const core = coreIn("creating-session");
    core.sessionCreated({ ...session(RELAY), expiresIn: 86_400 }, 0);
    core.opened(0);
    hear(core, 0, { type: "welcome", mode: "reset", epoch: "e", seq: 0 }, { type: "synced", seq: 0 }, ...frames);
    assert.equal(core.state, "connected");
    core.effects();
    core.events();
    return core;
  }

  test("the gateway prolongs a session: only its refusal ends it", () => {
    const core = connected();
    core.closed(1006, 90_000);
    core.timerDue(90_001);
    assert.deepEqual(core.effects(), [{ type: "open-socket", session: core.session }]);
    core.opened(90_001);
    core.closed(4401, 90_001);
    assert.deepEqual(core.effects().slice(-1), [{ type: "authenticate" }]);
  });

  for (const [what, core, ask] of /** @type {[string, GuestSessionClient, (core: GuestSessionClient) => void][]} */ ([
    ["end", connected(), (asked) => asked.end(0)],
    ["start-new", connected(ENDED), (asked) => asked.startNew(0)],
  ])) {
    test(`${what} that was refused for now is said again when the wait is over, as often as that takes`, () => {
      ask(core);
      assert.deepEqual(written(core), [{ type: what }]);
      for (const now of [1, 4]) {
        hear(core, now, BUSY);
        core.timerDue(now + 2);
        assert.deepEqual(written(core).filter(({ type }) => type === what), []);
        core.timerDue(now + 3);
        assert.deepEqual(written(core), [{ type: what }]);
      }
      core.timerDue(20);
      assert.deepEqual(written(core), []);
    });
  }

  test("end is not said again when it was a message that was refused, nor once it is taken", () => {
    const core = connected();
    core.end(0);
    hear(core, 0, { ...BUSY, clientId: "c1" });
    core.timerDue(3);
    hear(core, 3, BUSY, ENDED);
    core.timerDue(6);
    assert.deepEqual(written(core).filter(({ type }) => type === "end"), [{ type: "end" }]);
  });

  test("start-new refused during a replay waits as long", () => {
    const core = connected(ENDED);
    core.closed(1006, 0);
    core.startNew(0);
    core.retryNow(0);
    core.opened(1);
    assert.deepEqual(written(core).map(({ type }) => type), ["hello", "start-new"]);
    hear(core, 1, { type: "welcome", mode: "resume", epoch: "e", seq: 1 }, BUSY, { type: "synced", seq: 1 });
    assert.deepEqual(written(core), []);
    core.timerDue(4);
    assert.deepEqual(written(core).filter(({ type }) => type === "start-new"), [{ type: "start-new" }]);
  });

  test("start-new is said on the connection that took over", () => {
    const core = connected(ENDED);
    core.startNew(0);
    hear(core, 0, { type: "move", retryAfter: 0 });
    core.timerDue(0);
    core.opened(0, true);
    assert.deepEqual(written(core).map(({ type }) => type), ["start-new", "hello"]);
    for (const frame of [{ type: "welcome", mode: "resume", epoch: "e", seq: 1 }, { type: "synced", seq: 1 }]) {
      core.frameReceived(JSON.stringify(frame), 0, true);
    }
    assert.deepEqual(written(core), [{ type: "start-new" }]);
  });

  test("what was written to a conversation that could not begin yet waits for it", () => {
    const core = connected(ENDED);
    core.startNew(0);
    core.sendText("one", 0, { clientId: "c1" });
    hear(core, 0, BUSY, { type: "error", code: "conversation-ended", clientId: "c1" });
    assert.deepEqual([core.state, core.queued], ["connected", 1]);
    core.effects();
    core.timerDue(3);
    assert.deepEqual(written(core).filter(({ type }) => type !== "ack").map(({ type }) => type), ["start-new", "message"]);
  });

  test("old words are not sent into a new session: the guest decides", () => {
    const core = new GuestSessionClient({
      delayS: () => 1,
      unsent: [{ clientId: "c1", text: "old", sentAt: 5 }, { clientId: "c2", text: "new", sentAt: 10 }],
    });
    core.start(0);
    core.authenticated();
    core.events();
    core.sessionCreated(session(RELAY), 0, { staleBefore: 10 });
    assert.deepEqual(core.events().filter(({ type }) => type === "receipt"), [
      { type: "receipt", clientId: "c1", status: "failed", code: "session-expired" },
    ]);
    core.opened(0);
    hear(core, 0, { type: "welcome", mode: "reset", epoch: "e", seq: 0 }, { type: "synced", seq: 0 });
    assert.deepEqual(written(core).flatMap(({ text = [] }) => text), ["new"]);
  });
});
