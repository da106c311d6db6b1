import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyDesk, foldDesk, parseChange } from "../../../src/guestwire/web/desk/core/fold.js";
import { ADA, GRACE, NOW, conversation, entry, snapshot } from "./support.js";

/** @import { Change, Desk } from "../../../src/guestwire/web/desk/core/types.js" */

/** @param {...Change} changes @returns {Desk} */
const folded = (...changes) => changes.reduce((desk, change) => foldDesk(desk, change, NOW), emptyDesk());

/** What of a conversation a change carries. @param {import("../../../src/guestwire/web/desk/core/types.js").Conversation} value */
const facts = ({ entries: _entries, ...rest }) => rest;

test("a snapshot is the whole desk, whatever was before", () => {
  const desk = folded(snapshot({ conversations: [conversation({ id: "old" })] }), snapshot({ agents: [GRACE] }));
  assert.equal(desk.synced, true);
  assert.deepEqual(desk.agents, [GRACE]);
  assert.equal(desk.conversations.size, 0);
});

test("a snapshot's conversation without entries has none", () => {
  const { entries: _entries, ...bare } = conversation({ id: "c1" });
  const change = parseChange(JSON.stringify(snapshot({ conversations: [/** @type {any} */ (bare)] })));
  assert.ok(change);
  assert.deepEqual(folded(change).conversations.get("c1")?.entries, []);
});

test("agents, faults and flow are replaced", () => {
  const faults = [{ name: "no-cors", title: "No CORS", help: "…", kind: /** @type {const} */ ("switch"), on: true }];
  const desk = folded(snapshot(), { type: "agents", agents: [ADA] }, { type: "faults", faults, flow: { published: false } });
  assert.deepEqual(desk.agents, [ADA]);
  assert.deepEqual(desk.faults, faults);
  assert.equal(desk.flow.published, false);
});

test("faults without a flow leave the flow", () => {
  const desk = folded(snapshot({ flow: { published: false } }), { type: "faults", faults: [] });
  assert.equal(desk.flow.published, false);
});

test("a conversation change keeps the entries and drops facts that are gone", () => {
  const one = conversation({ id: "c1", stage: "agent", agentId: "a1", agentName: "Ada", entries: [entry()] });
  const { agentId: _id, agentName: _name, ...handedBack } = facts(one);
  const desk = folded(snapshot({ conversations: [one] }), {
    type: "conversation",
    conversation: { ...handedBack, stage: "bot" },
  });
  assert.deepEqual(desk.conversations.get("c1"), { ...handedBack, stage: "bot", entries: one.entries });
});

test("an entry is added once, however often it comes", () => {
  const said = entry();
  const change = /** @type {const} */ ({ type: "entry", conversationId: "c1", entry: said });
  const desk = folded(snapshot({ conversations: [conversation({ id: "c1" })] }), change, change);
  assert.deepEqual(desk.conversations.get("c1")?.entries, [said]);
});

test("the same entry again takes the first one's place", () => {
  const [first, second] = [entry(), entry()];
  const desk = folded(snapshot({ conversations: [conversation({ id: "c1", entries: [first, second] })] }), {
    type: "entry",
    conversationId: "c1",
    entry: { ...first, text: "corrected" },
  });
  assert.deepEqual(desk.conversations.get("c1")?.entries.map((one) => one.text), ["corrected", second.text]);
});

test("what is said about unknown conversations changes nothing", () => {
  const desk = folded(snapshot());
  assert.equal(foldDesk(desk, { type: "entry", conversationId: "?", entry: entry() }, NOW), desk);
  assert.equal(foldDesk(desk, { type: "typing", conversationId: "?", from: "guest" }, NOW), desk);
});

test("an unknown kind changes nothing", () => {
  const desk = folded(snapshot());
  assert.equal(foldDesk(desk, /** @type {any} */ ({ type: "weather" }), NOW), desk);
});

test("a typing mark goes with that sender's message and with the end, not with another's message", () => {
  const one = conversation({ id: "c1" });
  const typing = /** @type {const} */ ({ type: "typing", conversationId: "c1", from: "guest" });
  const said = folded(snapshot({ conversations: [one] }), typing, { type: "entry", conversationId: "c1", entry: entry() });
  assert.equal(said.typing.get("c1")?.guest, undefined);
  const other = folded(snapshot({ conversations: [one] }), typing, { type: "entry", conversationId: "c1", entry: entry({ from: "bot" }) });
  assert.equal(other.typing.get("c1")?.guest, NOW);
  const ended = folded(snapshot({ conversations: [one] }), typing, { type: "conversation", conversation: { ...facts(one), stage: "ended" } });
  assert.equal(ended.typing.has("c1"), false);
});

test("snapshot + changes = a fresh snapshot, wherever it is cut", () => {
  // The server's own record of one afternoon, and every change it told on the way.
  /** @type {Change[]} */
  const told = [];
  /** @type {Map<string, import("../../../src/guestwire/web/desk/core/types.js").Conversation>} */
  const server = new Map();
  let agents = [ADA, GRACE];
  /** @type {Change[]} */
  const snapshots = [snapshot({ agents, conversations: [] })];

  /** @param {Change} change */
  const tell = (change) => {
    told.push(change);
    snapshots.push(snapshot({ agents, conversations: structuredClone([...server.values()]) }));
  };
  /** @param {string} id @param {Partial<import("../../../src/guestwire/web/desk/core/types.js").Conversation>} values */
  const change = (id, values) => {
    const next = { ...(server.get(id) ?? conversation({ id })), ...values };
    server.set(id, next);
    tell({ type: "conversation", conversation: facts(next) });
  };
  /** @param {string} id @param {import("../../../src/guestwire/web/desk/core/types.js").Entry} said */
  const say = (id, said) => {
    const one = server.get(id);
    assert.ok(one);
    server.set(id, { ...one, entries: [...one.entries, said] });
    tell({ type: "entry", conversationId: id, entry: said });
  };

  change("c1", { stage: "bot" });
  say("c1", entry({ from: "bot" }));
  change("c2", { stage: "queue", queuedAt: NOW });
  tell({ type: "typing", conversationId: "c1", from: "guest" });
  say("c1", entry());
  change("c1", { stage: "queue", queuedAt: NOW + 1 });
  change("c1", { stage: "agent", status: "connected", agentId: "a1", agentName: "Ada" });
  agents = [{ ...ADA, active: 1 }, GRACE];
  tell({ type: "agents", agents });
  say("c1", entry({ from: "system" }));
  say("c1", entry({ from: "agent", name: "Ada" }));
  say("c2", entry());
  change("c2", { connections: 0 });
  change("c1", { stage: "ended", status: "ended", endedAt: NOW + 9, endReason: "agent" });

  const { typing: _typing, ...expected } = folded(/** @type {Change} */ (snapshots.at(-1)));
  for (let cut = 0; cut <= told.length; cut += 1) {
    const { typing: _transient, ...desk } = folded(/** @type {Change} */ (snapshots[cut]), ...told.slice(cut));
    assert.deepEqual(desk, expected, `cut after ${cut} changes`);
    // Entries that a snapshot had already come again after a reconnection: nothing doubles.
    const { typing: _again, ...twice } = folded(/** @type {Change} */ (snapshots.at(-1)), ...told.filter((one) => one.type === "entry"));
    assert.deepEqual(twice, expected);
  }
});

test("frames that are not changes are skipped", () => {
  for (const text of ["", "{", "null", "[]", "7", '{"type":"weather"}', '{"type":"entry"}', '{"type":"conversation","conversation":{}}',
    '{"type":"snapshot","agents":[]}', '{"type":"agents"}', '{"type":"typing","conversationId":"c1"}', '{"type":"faults","faults":{}}']) {
    assert.equal(parseChange(text), undefined, text);
  }
});

test("frames of every kind are read, unknown members and all", () => {
  /** @type {unknown[]} */
  const changes = [
    { ...snapshot(), weather: "fair" },
    { type: "agents", agents: [] },
    { type: "conversation", conversation: facts(conversation({ id: "c1" })) },
    { type: "entry", conversationId: "c1", entry: entry() },
    { type: "typing", conversationId: "c1", from: "guest" },
    { type: "faults", faults: [] },
  ];
  for (const change of changes) assert.deepEqual(parseChange(JSON.stringify(change)), change);
});
