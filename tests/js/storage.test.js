/** What outlives the page, whatever the storage is like. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Memory } from "../../src/guestwire/web/widget/io/storage.js";

/** @import { Session } from "../../src/guestwire/web/widget/core/types.js" */

/** As much of a Storage as we use. */
class FakeStorage {
  /** @type {Map<string, string>} */
  items = new Map();
  /** @param {string} key */
  getItem = (key) => this.items.get(key) ?? null;
  /** @param {string} key @param {string} value */
  setItem = (key, value) => void this.items.set(key, value);
  /** @param {string} key */
  removeItem = (key) => void this.items.delete(key);
}

/** @type {any} */
const page = globalThis;
let gateways = 0;
let gateway = "";

beforeEach(() => {
  Object.defineProperty(page, "localStorage", { configurable: true, value: new FakeStorage() });
  Object.defineProperty(page, "sessionStorage", { configurable: true, value: new FakeStorage() });
  gateway = `https://chat${(gateways += 1)}.example/`;
});

/** @param {string} [email] */
function memory(email) {
  return new Memory({ gateway, guest: email ? { email } : {} });
}

/** @type {Session} */
const SESSION = { sessionId: "s1", token: "t1", webSocketUrl: "wss://chat.example/ws", extensions: ["hello"] };

/** @param {Memory} kept */
const afterLocks = (kept) => kept.alone(async () => {});

test("a session goes on where it was, until the gateway refuses it", () => {
  memory().keep({ type: "remember-session", session: { ...SESSION, expiresIn: 60 } });
  assert.deepEqual(memory().session, SESSION);
});

test("only a session that tabs can share is offered to them", () => {
  memory().offer({ ...SESSION, extensions: ["end"] });
  assert.equal(memory().session, undefined);
  memory().offer(SESSION);
  assert.deepEqual(memory().session, SESSION);
});

test("another guest on the same page finds nothing", () => {
  memory("a@example.com").keep({ type: "remember-session", session: SESSION });
  assert.equal(memory("b@example.com").session, undefined);
  assert.equal(memory().session, undefined);
  assert.deepEqual(memory("a@example.com").session, SESSION);
});

test("a refused session is forgotten, another tab's new one is not", async () => {
  const kept = memory();
  const token = () => kept.session?.token;
  kept.keep({ type: "remember-session", session: SESSION });
  kept.keep({ type: "forget-session", token: "t1" });
  assert.equal(token(), undefined);
  await afterLocks(kept);
  assert.equal(memory().session, undefined);
  memory().keep({ type: "remember-session", session: { ...SESSION, token: "t2" } });
  kept.keep({ type: "forget-session", token: "t1" });
  await afterLocks(kept);
  assert.equal(token(), "t2");
});

test("unsent messages keep their order, also when one changes", () => {
  const kept = memory();
  for (const clientId of ["c1", "c2", "c3"]) kept.keep({ type: "remember-message", message: { clientId, text: clientId } });
  kept.keep({ type: "remember-message", message: { clientId: "c2", text: "c2", code: "conflict" } });
  kept.keep({ type: "forget-message", clientId: "c1" });
  kept.keep({ type: "forget-message", clientId: "c1" });
  assert.deepEqual(memory().unsent, [
    { clientId: "c2", text: "c2", code: "conflict" },
    { clientId: "c3", text: "c3" },
  ]);
});

test("what was seen is this tab's own; a tab that comes later has seen everything", () => {
  memory().keep({ type: "remember-seen", sessionId: "s1", seen: { epoch: "e", seq: 3 } });
  assert.deepEqual(memory().seenOf(SESSION), { epoch: "e", seq: 3 });
  assert.deepEqual(memory().seenOf({ ...SESSION, sessionId: "s2" }), { seq: Infinity });
});

test("leaving takes everything away", () => {
  const kept = memory();
  kept.keep({ type: "remember-session", session: SESSION });
  kept.keep({ type: "remember-seen", sessionId: "s1", seen: { seq: 3 } });
  kept.keep({ type: "remember-message", message: { clientId: "c1", text: "x" } });
  kept.replace("c0");
  kept.draft = "half a sent";
  kept.clear();
  assert.deepEqual([...page.localStorage.items, ...page.sessionStorage.items], []);
});

for (const nonsense of [
  "nonsense",
  "null",
  "5",
  '{"session":5}',
  '{"session":{"sessionId":"s1"}}',
  '{"unsent":{},"replaced":3}',
  '{"unsent":[{"text":"x"}]}',
  '{"unsent":[null]}',
  '{"seen":{"seq":"far"},"draft":{}}',
]) {
  test(`${nonsense} in the storage is nothing`, () => {
    const kept = memory();
    kept.keep({ type: "remember-session", session: SESSION });
    kept.keep({ type: "remember-message", message: { clientId: "c1", text: "x" } });
    kept.draft = "d";
    for (const { items } of [page.localStorage, page.sessionStorage]) for (const key of items.keys()) items.set(key, nonsense);
    const later = memory();
    assert.deepEqual([later.session, later.unsent, later.replaced, later.draft], [undefined, [], [], ""]);
    assert.deepEqual(later.seenOf(SESSION), { seq: Infinity });
    later.keep({ type: "remember-session", session: SESSION });
    assert.deepEqual(memory().session, SESSION);
  });
}

test("without a storage the page remembers for itself", () => {
  for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(page, name, {
      configurable: true,
      get() {
        throw new DOMException("Forbidden", "SecurityError");
      },
    });
  }
  memory().keep({ type: "remember-session", session: SESSION });
  memory().draft = "d";
  assert.deepEqual(memory().session, SESSION);
  assert.equal(memory().draft, "d");
});
