import assert from "node:assert/strict";
import { test } from "node:test";

import { answered, answeredForm, choices, formAnswers, gist, isQuestion, questionOf, questionText } from "../../../src/guestwire/web/desk/core/answers.js";
import { plainText } from "../../../src/guestwire/web/desk/core/text.js";
import { entry } from "./support.js";

/** @import { ContentItem, Entry } from "../../../src/guestwire/web/desk/core/types.js" */

/** @param {string} text @param {string} payload @param {object} [more] @returns {ContentItem} */
const answer = (text, payload, more = {}) => ({ contentType: "ButtonResponse", buttonResponse: { type: "Button", text, payload, ...more } });
/** @param {string} text @param {string} payload @returns {ContentItem} */
const chip = (text, payload) => ({ contentType: "QuickReply", quickReply: { text, payload } });

const FORM = /** @type {ContentItem} */ ({ contentType: "Form", form: {
  introduction: { title: "Two questions" },
  formPages: [
    { pageComponents: [{ formComponentType: "Input", input: { id: "name", title: "Name" } }, { formComponentType: "Input", input: { id: "note" } }] },
    { pageComponents: [
      { formComponentType: "ListPicker", listPicker: { id: "size", sections: [{ title: "Sizes", items: [] }] } },
      { formComponentType: "DatePicker", datePicker: { id: "day", title: "Day" } },
    ] },
  ],
} });

test("an answer belongs to what it names, else to the last that offered it", () => {
  const first = entry({ id: "q1", from: "bot", content: [chip("Yes", "yes")] });
  const second = entry({ id: "q2", from: "agent", content: [{ contentType: "Carousel", carousel: { cards: [{ title: "A", actions: [{ type: "Postback", text: "Order", payload: "yes" }] }] } }] });
  const named = entry({ id: "a1", from: "guest", inReplyTo: "q1", content: [answer("Yes", "yes")] });
  const inside = entry({ id: "a2", from: "guest", content: [answer("Yes", "yes", { originatingMessageId: "q1" })] });
  const bare = entry({ id: "a3", from: "guest", content: [answer("Order", "yes")] });
  const unknown = entry({ id: "a4", from: "guest", inReplyTo: "gone", content: [answer("Yes", "yes")] });
  const strange = entry({ id: "a5", from: "guest", content: [answer("No", "never offered")] });
  const all = [first, second, named, inside, bare, unknown, strange];
  assert.deepEqual(all.slice(2).map((one) => questionOf(one, all)?.id), ["q1", "q1", "q2", undefined, undefined]);
  assert.equal(questionOf(entry({ from: "guest", text: "hi" }), all), undefined);
  assert.deepEqual([...answered(all)], ["q1", "q2"]);
  assert.deepEqual([...answered([first, strange])], []);
});

test("only what agents and the bot ask is a question", () => {
  assert.ok(isQuestion(entry({ from: "bot", content: [chip("Yes", "yes")] })));
  assert.ok(!isQuestion(entry({ from: "guest", content: [FORM] })));
  assert.ok(!isQuestion(entry({ from: "agent", content: [{ contentType: "Attachment", attachment: {} }] })));
});

test("a form is answered in its own order, question by question; what was left out says so", () => {
  const question = entry({ id: "f", from: "agent", text: "", content: [FORM] });
  /** @param {string} id @param {string} text */
  const part = (id, text) => ({ id, component: answer(text, text) });
  const said = entry({ from: "guest", content: [{ contentType: "Form", form: { originatingMessageId: "f", response: [
    part("day", "24/11/2026"), part("size", "Small"), part("size", "Large"), part("name", "Nora"), part("more", "not asked"),
  ] } }] });
  const form = answeredForm(said);
  assert.ok(form);
  assert.equal(questionOf(said, [question, said]), question);
  assert.deepEqual(formAnswers(form, question), [
    { label: "Name", text: "Nora" }, { label: "note", text: "" }, { label: "Sizes", text: "Small, Large" },
    { label: "Day", text: "24/11/2026" }, { label: "more", text: "not asked" },
  ]);
  assert.deepEqual(formAnswers(form, undefined).map((one) => one.label), ["day", "size", "name", "more"]);
  assert.deepEqual(formAnswers({ response: [/** @type {any} */ ({ id: "x", component: null })] }, undefined), [{ label: "x", text: "" }]);
  assert.equal(questionText(question), "Two questions");
});

test("a message in one line: its text, its choices, its files, its question", () => {
  /** @param {Partial<Entry>} values */
  const line = (values) => gist(entry({ from: "guest", text: "", ...values }));
  assert.equal(line({ text: "Hi", content: [answer("A", "a")] }), "Hi");
  assert.equal(line({ content: [answer("A", "a"), answer("B", "b")] }), "A, B");
  assert.equal(line({ content: [{ contentType: "Attachment", attachment: { filename: "door.png" } }] }), "door.png");
  assert.equal(line({ from: "agent", content: [FORM] }), "Two questions");
  assert.equal(line({}), "");
  assert.deepEqual(choices(entry({ content: [{ contentType: "ButtonResponse" }] })), []);
});

test("one line of a formatted text has no marks, and an unformatted one keeps its own", () => {
  const text = "*Bold* and [a link](https://example.com)";
  assert.equal(plainText(text, { markdown: true, isOutbound: true }), "Bold and a link");
  assert.equal(plainText("*Bold*", { markdown: false, isOutbound: true }), "*Bold*");
});
