/** The connection core against its table, and what the vectors leave open. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { GuestSessionClient, RejectedError } from "../../src/guestwire/web/widget/core/connection.js";
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

  /** @param {GuestSessionClient} core @param {number} now @param {object[]} frames */
  const hear = (core, now, ...frames) => frames.forEach((frame) => core.frameReceived(JSON.stringify(frame), now));

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
});
