import assert from "node:assert/strict";
import { test } from "node:test";

import { initialState } from "../../../src/guestwire/web/desk/core/reduce.js";
import { areUploading, attachmentsOf, readyUploads, uploadsOf } from "../../../src/guestwire/web/desk/core/uploads.js";
import { NOW, after, changed, conversation, entry, seated } from "./support.js";

/** @import { Input, State, Upload } from "../../../src/guestwire/web/desk/core/types.js" */

/** @param {string} id @param {Partial<Upload>} [values] @returns {Upload} */
const file = (id, values = {}) => ({ id, name: `${id}.png`, mime: "image/png", size: 10, sent: 0, ...values });
/** @param {Upload} upload @returns {Input} */
const added = (upload) => ({ type: "upload-added", conversationId: "c1", upload });
/** @param {string} uploadId @param {Partial<Upload>} change @returns {Input} */
const noted = (uploadId, change) => ({ type: "upload-changed", conversationId: "c1", uploadId, change });
/** @param {State} state */
const waiting = (state) => uploadsOf(state.work, "c1");
const mine = () => seated(conversation({ id: "c1", stage: "agent", agentId: "a1" }));

test("files wait in the order they came, with what became of each", () => {
  const state = after(mine(), added(file("u1")), added(file("u2")), added(file("u3")), noted("u1", { fileId: "f1", sent: 10 }), noted("u2", { problem: { code: "too-large" } }), noted("u9", { sent: 1 }));
  assert.deepEqual(waiting(state).map((one) => one.id), ["u1", "u2", "u3"]);
  assert.ok(areUploading(waiting(state)));
  assert.deepEqual(attachmentsOf(readyUploads(waiting(state))), [{ contentType: "Attachment", attachment: { id: "f1", filename: "u1.png", mime: "image/png", fileSize: 10 } }]);
  const rest = after(state, { type: "upload-gone", conversationId: "c1", uploadId: "u3" });
  assert.ok(!areUploading(waiting(rest)));
  assert.equal(uploadsOf(rest.work, "c2").length, 0);
  assert.equal(uploadsOf(rest.work, undefined).length, 0);
});

test("files that go with a message leave the composer, and come back with its text when it is refused", () => {
  const state = after(mine(), added(file("u1", { fileId: "f1" })), added(file("u2")));
  const uploads = readyUploads(waiting(state));
  const message = { id: "p1", text: "The door", at: NOW, content: attachmentsOf(uploads), uploads };
  const sending = after(state, { type: "sending", conversationId: "c1", message });
  assert.deepEqual(waiting(sending).map((one) => one.id), ["u2"]);
  const refused = after(sending, { type: "refused", conversationId: "c1", pendingId: "p1", problem: { code: "unreachable" } });
  assert.deepEqual(waiting(refused).map((one) => one.id), ["u1", "u2"]);
  assert.equal(refused.work.drafts.get("c1"), "The door");
});

test("what was said in the bot's voice is there once", () => {
  const state = after(mine(), { type: "voice", asBot: true });
  assert.ok(state.work.asBot && !initialState().work.asBot);
  const sending = after(state, { type: "sending", conversationId: "c1", message: { id: "p1", text: "Hello", at: NOW, asBot: true } });
  const other = changed(sending, { type: "entry", conversationId: "c1", entry: entry({ id: "e8", from: "agent", name: "Ada", text: "Hello" }) });
  assert.equal(other.work.pending.get("c1")?.length, 1, "the agent's own words are other words");
  const said = changed(other, { type: "entry", conversationId: "c1", entry: entry({ id: "e9", from: "bot", text: "Hello" }) });
  assert.equal(said.work.pending.size, 0);
});

test("what an editor sent is there once, whether answer or event comes first", () => {
  const said = entry({ id: "e9", from: "agent", name: "Ada", text: "Look" });
  const answer = /** @type {Input} */ ({ type: "said", conversationId: "c1", entry: said });
  const event = /** @type {Input} */ ({ type: "change", change: { type: "entry", conversationId: "c1", entry: said }, now: NOW });
  for (const order of [[answer, event], [event, answer]]) {
    const state = after(mine(), ...order);
    assert.equal(state.desk.conversations.get("c1")?.entries.filter((one) => one.id === "e9").length, 1);
  }
});
