/** Files: what is refused before it is sent, and one upload after the other. */

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";

import { attachmentItems, MOST_FILES, refusalOf } from "../../src/guestwire/web/widget/core/files.js";
import { Uploads } from "../../src/guestwire/web/widget/io/uploads.js";

const RULES = { maxBytes: 1000, types: ["image/*", "application/pdf"], blockedExtensions: [".exe"] };

test("type, name and size are checked before anything is sent", () => {
  /** @type {[string, string, number, string | undefined][]} */
  const cases = [
    ["a.png", "image/png", 1000, undefined],
    ["a.png", "IMAGE/PNG", 1, undefined],
    ["a.pdf", "application/pdf", 1, undefined],
    ["a.unknown", "", 1, undefined],
    ["a.txt", "text/plain", 1, "attachment-type"],
    ["a.EXE", "image/png", 1, "attachment-type"],
    ["a.png", "image/png", 1001, "attachment-too-large"],
    ["a.png", "image/png", 0, "attachment-empty"],
    ["a", "image/png", 1, "attachment-name"],
    [".png", "image/png", 1, "attachment-name"],
  ];
  for (const [name, type, size, code] of cases) assert.equal(refusalOf({ name, type, size }, RULES), code, name);
  assert.equal(refusalOf({ name: "a.txt", type: "text/plain", size: 9e9 }), undefined, "without rules the provider decides");
  assert.equal(refusalOf({ name: "a.txt", type: "text/plain", size: 1 }, { types: ["*/*"], blockedExtensions: [] }), undefined);
});

test("a message names what the upload's answer had, without its address", () => {
  const answer = { id: "u1", filename: "a.png", mime: "image/png", mediaType: "Image", fileSize: 3, url: "/attachments/x" };
  const { url: _, ...attachment } = answer;
  assert.deepEqual(attachmentItems([answer]), [{ contentType: "Attachment", attachment }]);
});

describe("uploads", () => {
  /** @type {FakeRequest[]} */
  let requests = [];
  /** @type {string[]} */
  let deleted = [];
  /** @type {string[]} */
  let said = [];
  /** @type {Uploads} */
  let uploads;

  class FakeRequest extends EventTarget {
    upload = new EventTarget();
    /** @type {Record<string, string>} */
    headers = {};
    /** @type {any} */
    response;
    status = 0;
    isAborted = false;
    url = "";

    constructor() {
      super();
      requests.push(this);
    }

    /** @param {string} method @param {string} url */
    open(method, url) {
      this.url = `${method} ${url}`;
    }

    /** @param {string} name @param {string} value */
    setRequestHeader(name, value) {
      this.headers[name] = value;
    }

    send() {}

    abort() {
      this.isAborted = true;
    }

    /** @param {number} status @param {unknown} body */
    async answer(status, body) {
      Object.assign(this, { status, response: body });
      this.dispatchEvent(new Event("load"));
      await setImmediate();
    }
  }

  const session = { sessionId: "s/1", token: "t", webSocketUrl: "wss://chat.example/ws", extensions: [] };
  const file = (name = "ä.png") => new File(["abc"], name, { type: "image/png" });
  const states = () => uploads.drafts.map(({ state, code }) => code ?? state);

  beforeEach(() => {
    requests = [];
    deleted = [];
    said = [];
    Object.assign(globalThis, {
      XMLHttpRequest: FakeRequest,
      fetch: async (/** @type {string} */ url) => {
        deleted.push(url);
        return new Response();
      },
    });
    uploads = new Uploads({
      gateway: "https://chat.example/",
      session: () => session,
      onChange: (draft) => {
        if (draft) said.push(draft.code ?? draft.state);
      },
    });
  });

  test("one at a time, in order, with its name in the header and its progress shown", async () => {
    uploads.add([file(), file("b.png")], RULES);
    assert.deepEqual([requests.length, states()], [1, ["uploading", "waiting"]]);
    assert.equal(requests[0].url, "POST https://chat.example/api/v2/chat/guestsessions/s%2F1/attachments");
    assert.deepEqual(requests[0].headers, { Authorization: "Bearer t", "Content-Type": "image/png", Filename: "%C3%A4.png" });
    requests[0].upload.dispatchEvent(Object.assign(new Event("progress"), { loaded: 1, total: 4 }));
    assert.equal(uploads.drafts[0].progress, 0.25);
    await requests[0].answer(201, { id: "u1" });
    assert.deepEqual([requests.length, states(), uploads.isBusy], [2, ["done", "uploading"], true]);
    await requests[1].answer(201, { id: "u2", filename: "b.png" });
    assert.deepEqual(uploads.take().map(({ id, filename }) => [id, filename]), [["u1", "ä.png"], ["u2", "b.png"]]);
    assert.deepEqual([states(), said], [[], ["done", "done"]]);
  });

  test("what is refused says why, and keeps nothing else from going", async () => {
    uploads.add([new File([], "empty.png"), file()], RULES);
    assert.deepEqual(states(), ["attachment-empty", "uploading"]);
    await requests[0].answer(415, { code: "attachment-type" });
    assert.deepEqual([states(), said], [["attachment-empty", "attachment-type"], ["attachment-empty", "attachment-type"]]);
    assert.deepEqual(uploads.take(), []);
    assert.equal(uploads.drafts.length, 2, "what failed stays to be seen");
  });

  test("an answer without a code that we know is read by its status, a lost network is retried", async () => {
    uploads.add([file()], RULES);
    await requests[0].answer(413, null);
    assert.deepEqual(states(), ["attachment-too-large"]);
    uploads.retry(uploads.drafts[0].key);
    requests[1].dispatchEvent(new Event("error"));
    await setImmediate();
    assert.deepEqual(states(), ["unreachable"]);
    uploads.retry(uploads.drafts[0].key);
    await requests[2].answer(201, { id: "u1" });
    assert.deepEqual(states(), ["done"]);
  });

  test("cancelled while it is on its way, it is aborted and the next one goes", async () => {
    uploads.add([file(), file("b.png")], RULES);
    uploads.remove(uploads.drafts[0].key);
    await setImmediate();
    assert.deepEqual([requests[0].isAborted, requests.length, states(), deleted], [true, 2, ["uploading"], []]);
  });

  test("removed when it was there, the gateway hears of it", async () => {
    uploads.add([file()], RULES);
    await requests[0].answer(201, { id: "u 1" });
    uploads.remove(uploads.drafts[0].key);
    assert.deepEqual(deleted, ["https://chat.example/api/v2/chat/guestsessions/s%2F1/attachments/u%201"]);
  });

  test("another session knows nothing of what was sent: it can be sent again", async () => {
    uploads.add([file()], RULES);
    await requests[0].answer(201, { id: "u1" });
    uploads.forget();
    assert.deepEqual([states(), uploads.take()], [["attachment-expired"], []]);
    uploads.retry(uploads.drafts[0].key);
    assert.equal(requests.length, 2);
  });

  test("no more than a message holds", () => {
    uploads.add(Array.from({ length: MOST_FILES + 1 }, () => file()), RULES);
    assert.equal(states().at(-1), "too-many-files");
  });
});
