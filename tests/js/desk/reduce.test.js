import assert from "node:assert/strict";
import { test } from "node:test";

import { initialState, reduce } from "../../../src/guestwire/web/desk/core/reduce.js";
import { ADA, GRACE, NOW, after, changed, conversation, entry, seated, snapshot } from "./support.js";

const mine = () => conversation({ id: "c1", stage: "agent", status: "connected", agentId: "a1", agentName: "Ada", entries: [entry()] });

test("taking a seat and leaving it", () => {
  const state = after(initialState(), { type: "signed-in", agent: ADA });
  assert.deepEqual([state.work.meId, state.work.myName], ["a1", "Ada"]);
  assert.deepEqual(state.desk.agents, [ADA], "the answer may come before the event");
  const left = after(state, { type: "signed-out" });
  assert.deepEqual([left.work.meId, left.work.myName], [undefined, undefined]);
});

test("a snapshot without my seat keeps my name, so that the seat can be taken again", () => {
  const { work } = changed(seated(), snapshot({ agents: [GRACE] }));
  assert.deepEqual([work.meId, work.myName], [undefined, "Ada"]);
});

test("a snapshot without the open conversation closes it and keeps its draft", () => {
  const open = after(seated(mine()), { type: "selected", conversationId: "c1" }, { type: "drafted", conversationId: "c1", text: "half a" });
  const { work } = changed(open, snapshot());
  assert.deepEqual([work.selected, work.pane, work.drafts.get("c1")], [undefined, "list", "half a"]);
});

test("a snapshot after a lost connection keeps what is open and the draft", () => {
  const one = mine();
  const open = after(seated(one), { type: "selected", conversationId: "c1" }, { type: "drafted", conversationId: "c1", text: "half a" },
    { type: "link", status: "lost", retryAt: NOW });
  const { work } = changed(open, snapshot({ conversations: [one] }));
  assert.deepEqual([work.selected, work.pane, work.drafts.get("c1")], ["c1", "conversation", "half a"]);
});

test("an unknown conversation cannot be opened", () => {
  const state = seated();
  assert.equal(after(state, { type: "selected", conversationId: "?" }), state);
});

test("drafts are kept for each conversation; an empty one is none", () => {
  const state = after(seated(mine(), conversation({ id: "c2" })), { type: "drafted", conversationId: "c1", text: "one" },
    { type: "drafted", conversationId: "c2", text: "two" }, { type: "drafted", conversationId: "c1", text: "" });
  assert.deepEqual([...state.work.drafts], [["c2", "two"]]);
});

test("a message on its way is pending until it is answered", () => {
  const sending = after(seated(mine()), { type: "sending", conversationId: "c1", message: { id: "p1", text: "Hello", at: NOW } });
  assert.equal(sending.work.pending.get("c1")?.length, 1);
  const sent = after(sending, { type: "sent", conversationId: "c1", pendingId: "p1", entry: entry({ from: "agent", name: "Ada", text: "Hello" }), now: NOW });
  assert.equal(sent.work.pending.size, 0);
  assert.equal(sent.desk.conversations.get("c1")?.entries.at(-1)?.text, "Hello");
});

test("the agent's own words are there once, whether answer or event comes first", () => {
  const said = entry({ from: "agent", name: "Ada", text: "Hello" });
  const message = { id: "p1", text: "Hello", at: NOW };
  const event = /** @type {const} */ ({ type: "change", change: { type: "entry", conversationId: "c1", entry: said }, now: NOW });
  const answer = /** @type {const} */ ({ type: "sent", conversationId: "c1", pendingId: "p1", entry: said, now: NOW });
  const sending = after(seated(mine()), { type: "sending", conversationId: "c1", message });
  for (const order of [[event, answer], [answer, event]]) {
    const first = after(sending, order[0]);
    assert.equal(first.work.pending.size, 0);
    const both = after(first, order[1]);
    assert.equal(both.desk.conversations.get("c1")?.entries.filter((one) => one.text === "Hello").length, 1);
  }
});

test("a refused text goes back before what was typed since", () => {
  const state = after(seated(mine()), { type: "sending", conversationId: "c1", message: { id: "p1", text: "first", at: NOW } },
    { type: "drafted", conversationId: "c1", text: "second" },
    { type: "refused", conversationId: "c1", pendingId: "p1", problem: { code: "unreachable" } });
  assert.equal(state.work.drafts.get("c1"), "first\nsecond");
  assert.equal(state.work.pending.size, 0);
  assert.deepEqual(state.work.problem, { code: "unreachable" });
});

test("a refused template does not go into the draft", () => {
  const state = after(seated(mine()), { type: "sending", conversationId: "c1", message: { id: "p1", text: "A card", at: NOW, content: [] } },
    { type: "refused", conversationId: "c1", pendingId: "p1", problem: { code: "ended" } });
  assert.equal(state.work.drafts.size, 0);
});

test("reading twice is the same state: drawing may ask for it every time", () => {
  const read = after(seated(mine()), { type: "read", conversationId: "c1" });
  assert.equal(after(read, { type: "read", conversationId: "c1" }), read);
  assert.equal(after(read, { type: "read", conversationId: "?" }), read);
});

test("a problem stays until it is dismissed or something is opened", () => {
  const state = after(seated(mine()), { type: "problem", problem: { code: "off-queue" } });
  assert.equal(after(state, { type: "dismissed" }).work.problem, undefined);
  assert.equal(after(state, { type: "selected", conversationId: "c1" }).work.problem, undefined);
  const fine = seated();
  assert.equal(after(fine, { type: "dismissed" }), fine);
});

test("panes, filter, templates and what was remembered", () => {
  const state = after(seated(), { type: "pane", pane: "side", side: "faults" }, { type: "pane", pane: "list" }, { type: "filtered", filter: "ada" },
    { type: "templates", templates: [] }, { type: "restored", drafts: [["c1", "half"]], seen: [["c1", "e1"]] });
  assert.deepEqual([state.work.pane, state.work.side, state.work.filter], ["list", "faults", "ada"]);
  assert.deepEqual([state.work.drafts.get("c1"), state.work.seen.get("c1")], ["half", "e1"]);
});

test("an unknown input changes nothing", () => {
  const state = seated();
  assert.equal(reduce(state, /** @type {any} */ ({ type: "?" })), state);
});
