/** Every vector of tests/frames/guest-session, which Python's cores run too. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { GuestSessionClient } from "../../src/guestwire/web/widget/core/connection.js";
import { decodeFrame } from "../../src/guestwire/web/widget/core/decode.js";
import { applyEvent, EMPTY_TRANSCRIPT } from "../../src/guestwire/web/widget/core/transcript.js";

/** @param {string} name @returns {any[]} */
function vectors(name) {
  const url = new URL(`../frames/guest-session/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")).vectors;
}

describe("frames.json", () => {
  for (const { name, text, event } of vectors("frames")) {
    test(name, () => assert.deepEqual(decodeFrame(text).event ?? null, event));
  }
});

describe("transcripts.json", () => {
  for (const { name, inputs, transcript } of vectors("transcripts")) {
    test(name, () => assert.deepEqual(inputs.reduce(applyEvent, EMPTY_TRANSCRIPT), transcript));
    test(`${name}: every receipt and every message with an id may come twice`, () => {
      const doubled = inputs.flatMap((/** @type {any} */ input) =>
        input.type === "receipt" || (input.type === "message" && (input.id || input.clientId)) ? [input, input] : [input],
      );
      assert.deepEqual(doubled.reduce(applyEvent, EMPTY_TRANSCRIPT), transcript);
    });
  }
});

for (const file of ["connection", "relay"]) {
  describe(`${file}.json`, () => {
    for (const vector of vectors(file)) test(vector.name, () => runConnection(vector));
  });
}

/** @param {any} given */
function sessionOf(given) {
  return {
    sessionId: given?.sessionId ?? "s1",
    token: given?.token ?? "t",
    webSocketUrl: "ws://127.0.0.1/ws",
    extensions: given?.extensions ?? ["typing", "end"],
    ...(given?.expiresIn !== undefined && { expiresIn: given.expiresIn }),
  };
}

/** @param {{ delays: number[], session?: any, seen?: any, unsent?: any[], steps: any[] }} vector */
function runConnection({ delays, session, seen, unsent, steps }) {
  const core = new GuestSessionClient({
    delayS: (attempt) => delays[Math.min(attempt, delays.length - 1)],
    session: session && sessionOf(session),
    tab: "tab",
    seen,
    unsent,
  });
  let now = 0;
  steps.forEach((step, index) => {
    now = step.now ?? now;
    const { raises, state, effects = [], statuses = [], events = [], deadline } = step.expect;
    let raised;
    try {
      tell(core, step, now);
    } catch (error) {
      raised = /** @type {any} */ (error).code ?? error;
    }
    const where = `step ${index}, ${step.do}`;
    assert.equal(raised, raises, where);
    assert.equal(core.state, state, where);
    assert.deepEqual(core.effects().map(briefEffect), effects, where);
    const all = core.events();
    assert.deepEqual(all.filter((event) => event.type === "status").map(briefStatus), statuses, where);
    assert.deepEqual(all.filter((event) => event.type !== "status"), events, where);
    assert.equal(core.nextDeadline(), deadline, where);
  });
}

/**
 * @param {GuestSessionClient} core
 * @param {any} step
 * @param {number} now
 */
function tell(core, step, now) {
  switch (step.do) {
    case "start":
      return core.start(now);
    case "start-new":
      return core.startNew(now);
    case "authenticated":
      return core.authenticated();
    case "session-created":
      return core.sessionCreated(sessionOf(step.session), now);
    case "opened":
      return core.opened(now, step.isSpare);
    case "send-text":
      return core.sendText(step.text.repeat(step.times ?? 1), now, { clientId: step.clientId });
    case "sent":
      return core.sent(step.clientId);
    case "frame":
      return core.frameReceived(JSON.stringify(step.frame), now, step.isSpare);
    case "closed":
      return core.closed(step.code, now, step.isSpare);
    case "read":
      return core.read(now);
    case "discard":
      return core.discard(step.clientId);
    case "still-valid":
      return core.stillValid(now);
    case "attempt-failed":
      return core.attemptFailed({ code: step.code, ...(step.retryAfter && { retryAfter: step.retryAfter }) }, now);
    case "retry-now":
      return core.retryNow(now);
    case "timer-due":
      return core.timerDue(now);
    case "type":
      return core.type(now);
    case "end":
      return core.end(now);
    case "stop":
      return core.stop();
    default:
      throw new Error(`No such step: ${step.do}`);
  }
}

/** @param {any} effect */
function briefEffect(effect) {
  switch (effect.type) {
    case "open-socket":
      return { open: effect.session.sessionId };
    case "open-spare":
      return { openSpare: effect.session.sessionId };
    case "remember-session":
      return { rememberSession: effect.session.token };
    case "forget-session":
      return { forgetSession: effect.token };
    case "remember-seen":
      return { rememberSeen: effect.seen, sessionId: effect.sessionId };
    case "remember-message":
      return { rememberMessage: effect.message };
    case "forget-message":
      return { forgetMessage: effect.clientId };
    case "check-session":
      return { check: effect.session.sessionId };
    case "send-frame":
      return {
        send: JSON.parse(effect.text),
        ...(effect.clientId && { clientId: effect.clientId }),
        ...(effect.isSpare && { isSpare: true }),
      };
    case "close-socket":
      return { close: effect.code };
    default:
      return effect.type;
  }
}

/** @param {any} event */
function briefStatus({ status, error, retryIn }) {
  return { status, ...(error && { code: error.code }), ...(retryIn !== undefined && { retryIn }) };
}
