/** The shell: what it does to sockets while the network is away, and when it may try again. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";

import { ChatSession } from "../../src/guestwire/web/widget/io/session.js";
import { Memory } from "../../src/guestwire/web/widget/io/storage.js";

/** @import { ChatEvent } from "../../src/guestwire/web/widget/core/types.js" */

class FakeSocket extends EventTarget {
  static OPEN = 1;
  /** @type {FakeSocket[]} */
  static all = [];
  readyState = 0;
  /** @type {string[]} */
  sent = [];

  constructor() {
    super();
    FakeSocket.all.push(this);
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text).text);
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {object} frame */
  receive(frame) {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  /** @param {number} code */
  drop(code) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  close() {
    this.readyState = 3;
  }
}

/** @type {ChatEvent[]} */
let events;
/** @type {ChatSession} */
let session;
let now = 0;

beforeEach(async () => {
  FakeSocket.all = [];
  events = [];
  now = 0;
  Object.assign(globalThis, {
    WebSocket: FakeSocket,
    fetch: async () => Response.json({ sessionId: "s", token: "t", webSocketUrl: "wss://chat.example/ws", extensions: ["end"] }),
  });
  const gateway = "https://chat.example/";
  session = new ChatSession({
    gateway,
    guest: {},
    memory: new Memory({ gateway, guest: {} }),
    clock: { now: () => now, today: () => 0, setTimer: () => 0, clearTimer: () => {} },
    onEvent: (event) => events.push(event),
  });
  session.start();
  while (!FakeSocket.all.length) await setImmediate();
  FakeSocket.all[0].open();
});

/** @returns {string[]} The fates that were told of messages. */
function fates() {
  return events.flatMap((event) => (event.type === "receipt" ? [event.status] : []));
}

test("what is sent while the network is away is not called sent, and goes once, with the next socket", () => {
  session.setOnline(false);
  session.send("one");
  assert.deepEqual([FakeSocket.all[0].sent, fates()], [[], []]);
  session.setOnline(true);
  assert.equal(FakeSocket.all[0].readyState, 3);
  session.retryNow();
  FakeSocket.all[1].open();
  assert.deepEqual([FakeSocket.all[0].sent, FakeSocket.all[1].sent, fates()], [[], ["one"], ["sent"]]);
});

test("a network that was said to be away, and was not, delays messages and loses none", () => {
  session.setOnline(false);
  session.send("one");
  session.send("two");
  FakeSocket.all[0].receive({ type: "message", text: "Hello" });
  assert.deepEqual([FakeSocket.all[0].sent, fates()], [["one", "two"], ["sent", "sent"]]);
  session.setOnline(true);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(FakeSocket.all[0].readyState, 1);
});

test("nobody but the guest tries again before the time that the other side asked for", () => {
  FakeSocket.all[0].receive({ type: "error", code: "rate-limited", retryAfter: 60 });
  FakeSocket.all[0].drop(4429);
  session.wake();
  assert.equal(FakeSocket.all.length, 1);
  session.retryNow();
  assert.equal(FakeSocket.all.length, 2);
});

test("without such a word, waking up tries again at once", () => {
  FakeSocket.all[0].drop(1006);
  session.wake();
  assert.equal(FakeSocket.all.length, 2);
});
