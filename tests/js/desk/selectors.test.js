import assert from "node:assert/strict";
import { test } from "node:test";

import * as select from "../../../src/guestwire/web/desk/core/selectors.js";
import { ADA, NOW, after, changed, conversation, entry, seated, snapshot } from "./support.js";

const mine = (id = "m1", values = {}) => conversation({ id, stage: "agent", status: "connected", agentId: "a1", agentName: "Ada", ...values });

/** @param {import("../../../src/guestwire/web/desk/core/types.js").State} state */
const ids = (state) => Object.fromEntries(select.sections(state).map((one) => [one.name, one.conversations.map(({ id }) => id)]));

test("every conversation is in its section", () => {
  const state = seated(conversation({ id: "w" }), mine(), mine("o", { agentId: "a2" }), conversation({ id: "b", stage: "bot" }), conversation({ id: "e", stage: "ended" }));
  assert.deepEqual(ids(state), { waiting: ["w"], mine: ["m1"], others: ["o"], bot: ["b"], ended: ["e"] });
});

test("without a seat nothing is mine", () => {
  assert.equal(select.sectionOf(conversation({ id: "x", stage: "agent" }), undefined), "others");
});

test("who waits longest is first, by the time in the queue; the ended newest first", () => {
  const state = seated(
    conversation({ id: "w1", startedAt: NOW - 9000, queuedAt: NOW - 10 }),
    conversation({ id: "w2", startedAt: NOW - 500 }),
    conversation({ id: "e1", stage: "ended", endedAt: 1 }),
    conversation({ id: "e2", stage: "ended", endedAt: 2 }),
  );
  assert.deepEqual(ids(state).waiting, ["w2", "w1"]);
  assert.deepEqual(ids(state).ended, ["e2", "e1"]);
  assert.deepEqual(select.waiting(state.desk).map(({ id }) => id), ["w2", "w1"]);
});

test("the filter looks at name, e-mail and contact id, in any case", () => {
  const state = seated(conversation({ id: "1", guest: { name: "Selma" } }), conversation({ id: "2", guest: { email: "SEL@example.se" } }),
    conversation({ id: "3", guest: { externalContactId: "crm-sel" } }), conversation({ id: "4", guest: {} }));
  assert.deepEqual(ids(after(state, { type: "filtered", filter: " sel " })).waiting, ["1", "2", "3"]);
});

test("neighbours follow the list and stop at its ends", () => {
  const state = seated(mine(), conversation({ id: "w1" }), conversation({ id: "w2", startedAt: NOW + 1 }));
  assert.equal(select.neighbour(state, 1), "w1");
  assert.equal(select.neighbour(state, -1), "m1");
  const open = after(state, { type: "selected", conversationId: "w2" });
  assert.deepEqual([select.neighbour(open, -1), select.neighbour(open, 1)], ["w1", "m1"]);
  assert.equal(select.neighbour(after(state, { type: "selected", conversationId: "m1" }), 1), undefined);
});

test("unread are the guest's messages after what was read or answered, in my conversations only", () => {
  const [one, answer, two, three] = [entry(), entry({ from: "agent" }), entry(), entry()];
  const open = mine("m1", { entries: [one, answer, two, three] });
  const state = seated(open);
  assert.equal(select.unread(open, state.work), 2);
  assert.equal(select.unread({ ...open, entries: [one, two] }, state.work), 2);
  assert.equal(select.unread({ ...open, agentId: "a2" }, state.work), 0);
  assert.equal(select.unread(open, after(state, { type: "read", conversationId: "m1" }).work), 0);
});

test("the last line is what somebody said, before what the system notes", () => {
  const [said, noted] = [entry({ text: "Hello" }), entry({ from: "system" })];
  assert.equal(select.lastLine(mine("m1", { entries: [said, noted] })), said);
  assert.equal(select.lastLine(mine("m1", { entries: [noted] })), noted);
  assert.equal(select.lastLine(mine()), undefined);
});

test("typing shows for its time, and never the agent's own", () => {
  const open = mine();
  const state = changed(seated(open), { type: "typing", conversationId: "m1", from: "guest" }, { type: "typing", conversationId: "m1", from: "agent" });
  assert.deepEqual(select.typing(state, open, NOW + select.TYPING_MS - 1), ["guest"]);
  assert.deepEqual(select.typing(state, open, NOW + select.TYPING_MS), []);
  assert.deepEqual(select.typing(state, { ...open, agentId: "a2" }, NOW), ["guest", "agent"]);
  assert.deepEqual(select.typing(state, { ...open, stage: "ended" }, NOW), []);
});

test("the foot offers what can be done", () => {
  const state = seated(conversation({ id: "w" }), mine(), mine("o", { agentId: "a2" }), mine("left", { agentId: "gone" }),
    conversation({ id: "b", stage: "bot" }), conversation({ id: "e", stage: "ended" }));
  const modes = ["w", "m1", "o", "left", "b", "e"].map((id) => select.footMode(after(state, { type: "selected", conversationId: id })));
  assert.deepEqual(modes, ["accept", "write", "watch-agent", "take-over", "watch-bot", "ended"]);
  assert.equal(select.footMode(state), "none");
});

test("who I am, what is open, whether I am connected, and the faults that are on", () => {
  const state = after(seated(mine()), { type: "selected", conversationId: "m1" });
  assert.equal(select.me(state)?.name, ADA.name);
  assert.equal(select.selected(state)?.id, "m1");
  assert.equal(select.isOnline(state), true);
  assert.equal(select.isOnline(after(state, { type: "link", status: "lost" })), false);
  const faults = [
    { name: "a", title: "A", help: "", kind: /** @type {const} */ ("switch"), on: true },
    { name: "b", title: "B", help: "", kind: /** @type {const} */ ("switch"), on: false },
    { name: "c", title: "C", help: "", kind: /** @type {const} */ ("capability"), on: true },
    { name: "d", title: "D", help: "", kind: /** @type {const} */ ("action") },
  ];
  assert.deepEqual(select.faultsOn(changed(state, snapshot({ faults })).desk).map(({ name }) => name), ["a"]);
});

test("other visits are found by contact id or e-mail, never by both being absent", () => {
  const here = conversation({ id: "1", guest: { email: "a@x", externalContactId: "7" } });
  const { desk } = seated(here, conversation({ id: "2", guest: { email: "a@x" }, startedAt: 1 }), conversation({ id: "3", guest: { externalContactId: "7" }, startedAt: 2 }),
    conversation({ id: "4", guest: {} }));
  assert.deepEqual(select.otherVisits(desk, here).map(({ id }) => id), ["3", "2"]);
  assert.deepEqual(select.otherVisits(desk, conversation({ id: "4", guest: {} })), []);
});

test("initials and tints", () => {
  assert.equal(select.initials({ name: "selma ottilia lagerlöf" }), "SL");
  assert.equal(select.initials({ name: "محفوظ" }), "م");
  assert.equal(select.initials({ email: "ada@example.com" }), "A");
  assert.equal(select.initials(undefined), "");
  assert.equal(select.tint("c1", 6), select.tint("c1", 6));
});
