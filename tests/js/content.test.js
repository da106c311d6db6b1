/** Rich content: what can be drawn of it, what answers it, and what of it can be said in words. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { answerOf, blocksOf, chosenIn, contentWords } from "../../src/guestwire/web/widget/core/content.js";

const SCRIPT = ["javascript", "alert(1)"].join(":");

test("cards by their titles, quick replies by their texts, the rest by nothing", () => {
  const items = [
    { contentType: "Carousel", carousel: { cards: [{ title: "Red" }, null, { title: "" }, { title: "Blue" }] } },
    { contentType: "QuickReply", quickReply: { text: "Yes", payload: "y" } },
    { contentType: "QuickReply", quickReply: { text: "No" } },
    { contentType: "Unheard", x: 1 },
    { contentType: "DatePicker", datePicker: { title: "Delivery", subtitle: "Next week" } },
    { contentType: "Attachment", attachment: { filename: "door.png" } },
  ];
  assert.deepEqual(contentWords(items), { titles: ["Red", "Blue", "Delivery", "Next week", "door.png"], choices: ["Yes"] });
  assert.deepEqual(contentWords([{ contentType: "Unheard" }]), { titles: [], choices: [] });
});

test("chips come one by one, as a list with a title, or as the answers that a bot offers; they stand last", () => {
  const blocks = blocksOf([
    { contentType: "QuickReply", quickReply: { text: "A", payload: "a", image: SCRIPT } },
    { contentType: "ButtonResponse", buttonResponse: { type: "QuickReply", text: "B", payload: "b" } },
    { contentType: "ButtonResponse", buttonResponse: { type: "Button", text: "C", payload: "c" } },
    { contentType: "QuickReplyV2", quickReplyV2: { title: "Which?", actions: [{ text: "D", payload: "d" }] } },
    { contentType: "Card", card: { title: "Card" } },
  ]);
  assert.deepEqual(blocks, [
    { kind: "cards", cards: [{ title: "Card", actions: [] }] },
    { kind: "chips", choices: [{ text: "A", payload: "a" }, { text: "B", payload: "b" }, { text: "D", payload: "d" }] },
  ]);
});

test("a card keeps what may be followed and what can be sent", () => {
  const [block] = blocksOf([
    {
      contentType: "Card",
      card: {
        title: "Matt blue",
        description: 7,
        image: "https://a.example/b.png",
        defaultAction: { type: "Link", text: "", url: SCRIPT },
        actions: [
          { type: "link", text: "Details", url: "https://a.example/" },
          { type: "Link", text: "Bad", url: SCRIPT },
          { type: "Button", text: "Order" },
          { type: "Postback", text: "", payload: "x" },
          { type: "Call", text: "Call" },
          null,
        ],
      },
    },
  ]);
  const actions = [{ text: "Details", href: "https://a.example/" }, { text: "Order", payload: "Order" }];
  assert.deepEqual(block, { kind: "cards", cards: [{ title: "Matt blue", image: "https://a.example/b.png", actions }] });
});

test("a file's address is the gateway's, a picture is one by its media type, what has no name is none", () => {
  const file = (/** @type {object} */ attachment) => blocksOf([{ contentType: "Attachment", attachment }], "https://chat.example/");
  assert.deepEqual(file({ filename: "a.png", mediaType: "Image", url: "/attachments/x", fileSize: 3, text: "A door" }), [
    { kind: "files", files: [{ name: "a.png", kind: "image", href: "https://chat.example/attachments/x", text: "A door", size: 3 }] },
  ]);
  assert.deepEqual(file({ filename: "a.bin", mediaType: "Strange", url: SCRIPT, fileSize: "big" }), [{ kind: "files", files: [{ name: "a.bin", kind: "file" }] }]);
  assert.deepEqual(file({ mediaType: "File" }), []);
  assert.deepEqual(blocksOf([{ contentType: "Attachment", attachment: null }]), []);
});

test("times stand in their order, and what is no time is left out", () => {
  const [block] = blocksOf([
    { contentType: "DatePicker", datePicker: { availableTimes: [{ dateTime: "2026-05-11T10:00:00Z" }, { dateTime: "soon" }, null, { dateTime: "2026-05-11T08:00:00Z" }] } },
  ]);
  assert.deepEqual(block.kind === "date" && block.slots.map(({ iso }) => iso), ["2026-05-11T08:00:00Z", "2026-05-11T10:00:00Z"]);
});

test("a list without anything to choose is none", () => {
  assert.deepEqual(blocksOf([{ contentType: "ListPicker", listPicker: { sections: [{ title: "x", items: [{ id: "a" }] }] } }]), []);
  assert.deepEqual(blocksOf([{ contentType: "ListPicker" }, { contentType: "Form", form: { formPages: [{}] } }, { contentType: "Carousel" }]), []);
});

test("an answer names what it answers, and is known again", () => {
  const content = answerOf("ListPicker", [{ text: "Brush", payload: "brush" }, { text: "Tape", payload: "tape" }], "p1");
  assert.deepEqual(content[0], {
    contentType: "ButtonResponse",
    buttonResponse: { type: "ListPicker", text: "Brush", payload: "brush", originatingMessageId: "p1" },
  });
  assert.deepEqual([...chosenIn({ kind: "message", from: "guest", text: "", content })], ["brush", "tape"]);
  assert.deepEqual([...chosenIn(undefined)], []);
});
