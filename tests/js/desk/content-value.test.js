import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, kindOf } from "../../../src/guestwire/web/desk/core/content-kinds.js";
import { asLocalMoment, blank, complaints, draftOf, fromLocalMoment, itemsOf, parseItems } from "../../../src/guestwire/web/desk/core/content-value.js";

/** @import { KindName, Value } from "../../../src/guestwire/web/desk/core/content-kinds.js" */

/** One of each kind, as the wire has it and as its editor makes it: nothing is lost by opening and sending it again. */
const SAMPLES = /** @type {const} */ ({
  "quick-replies": [
    { contentType: "QuickReply", quickReply: { text: "Blue", payload: "colour:blue", action: "Message" } },
    { contentType: "QuickReply", quickReply: { text: "Red", payload: "Red", action: "Message" } },
  ],
  card: [{ contentType: "Card", card: { title: "Paint", description: "10 l", image: "https://cdn.example/p.png", actions: [{ type: "Link", text: "Details", url: "https://shop.example/b" }, { type: "Postback", text: "Order", payload: "order:b" }] } }],
  carousel: [{ contentType: "Carousel", carousel: { cards: [
    { title: "Matt", description: "10 l", actions: [{ type: "Postback", text: "Order", payload: "m" }] },
    { title: "Satin", description: "5 l", actions: [{ type: "Postback", text: "Order", payload: "s" }] },
  ] } }],
  "date-picker": [{ contentType: "DatePicker", datePicker: { title: "Delivery", availableTimes: [{ dateTime: "2026-05-11T08:00:00.000Z", duration: 3600 }] } }],
  "list-picker": [{ contentType: "ListPicker", listPicker: {
    receivedMessage: { title: "Choose extras" },
    sections: [{ title: "Tools", multipleSelection: true, items: [{ title: "Brush", id: "brush" }, { title: "Roller", subtitle: "25 cm", id: "roller" }] }],
    replyMessage: { subtitle: "My extras" },
  } }],
  form: [{ contentType: "Form", form: {
    introduction: { title: "Two questions", buttonText: "Start" },
    formPages: [{ title: "You", pageComponents: [
      { formComponentType: "Input", input: { title: "Name", isRequired: true, isMultipleLine: false, keyboardType: "Default", id: "name" } },
      { formComponentType: "DatePicker", datePicker: { title: "Day", dateDisplayFormat: "monthDayYear", id: "when" } },
      { formComponentType: "WheelPicker", wheelPicker: { items: [{ title: "One", id: "1" }, { title: "Two", id: "2" }], id: "count" } },
      { formComponentType: "ListPicker", listPicker: { sections: [{ title: "Size", multipleSelection: false, items: [{ title: "Small", id: "s" }] }], id: "size" } },
    ] }],
    replyMessage: { title: "Thanks" },
    showSummary: true,
    cannedResponseId: "2e9b7a44",
  } }],
});

for (const kind of KINDS) {
  test(`${kind.name}: opened in its editor and sent again it is the same`, () => {
    const draft = draftOf(/** @type {any} */ (SAMPLES[kind.name]));
    assert.equal(draft?.kind, kind.name);
    const value = /** @type {Value} */ (draft?.value);
    assert.deepEqual(complaints(kind.fields, value), []);
    assert.deepEqual(itemsOf(kind.name, value), SAMPLES[kind.name]);
  });

  test(`${kind.name}: begun empty it wants its first field, and nothing that is hidden`, () => {
    const found = complaints(kind.fields, blank(kind.fields));
    assert.ok(found.length > 0);
    assert.deepEqual([...new Set(found.map((one) => one.code))].filter((code) => !["required"].includes(code)), []);
    assert.ok(!found.some((one) => /url|datePicker\.title|wheelPicker/u.test(one.path) && kind.name !== "date-picker"), JSON.stringify(found));
  });
}

test("what was left empty is left out, and every id is there once", () => {
  const { fields } = kindOf("list-picker");
  const value = /** @type {any} */ (blank(fields));
  value.sections[0].title = "Größen";
  value.sections[0].items = [{ title: "Gross!", subtitle: " " }, { title: "gross" }, { title: "小" }, { title: "大" }].map((one) => ({ ...blank([{ name: "id", type: "text", isId: true }]), ...one }));
  const [item] = /** @type {any} */ (itemsOf("list-picker", value));
  assert.deepEqual(item.listPicker.sections[0].items, [
    { title: "Gross!", id: "gross" }, { title: "gross", id: "gross-2" }, { title: "小", id: "id" }, { title: "大", id: "id-2" },
  ]);
  assert.deepEqual([item.listPicker.receivedMessage, item.listPicker.replyMessage], [{}, {}], "the schema asks for both");
});

test("addresses, moments and lengths are looked at", () => {
  const card = /** @type {any} */ (draftOf(/** @type {any} */ (SAMPLES.card))?.value);
  card.image = ["javascript", "alert(1)"].join(":");
  card.actions[0].url = "mailto:a@example.com";
  assert.deepEqual(complaints(kindOf("card").fields, card), [{ path: "image", code: "address" }, { path: "actions.0.url", code: "address" }]);
  const times = /** @type {any} */ (draftOf(/** @type {any} */ (SAMPLES["date-picker"]))?.value);
  times.availableTimes[0] = { dateTime: "soon", duration: 0 };
  assert.deepEqual(complaints(kindOf("date-picker").fields, times), [
    { path: "availableTimes.0.dateTime", code: "moment" }, { path: "availableTimes.0.duration", code: "minutes" },
  ]);
});

test("a choice takes with it what belonged to the other one", () => {
  const card = /** @type {any} */ (draftOf(/** @type {any} */ (SAMPLES.card))?.value);
  card.actions[0].type = "Postback";
  card.actions[0].payload = "p";
  assert.deepEqual(/** @type {any} */ (itemsOf("card", card))[0].card.actions[0], { type: "Postback", text: "Details", payload: "p" });
});

test("what no editor can show is edited as JSON", () => {
  assert.equal(draftOf([{ contentType: "Location" }]), undefined);
  assert.equal(draftOf([]), undefined);
  assert.equal(draftOf(/** @type {any} */ ([...SAMPLES.card, ...SAMPLES.card])), undefined);
  assert.equal(draftOf(/** @type {any} */ ([...SAMPLES["quick-replies"], ...SAMPLES.card])), undefined);
  assert.deepEqual(parseItems('{"contentType":"Location"}'), [{ contentType: "Location" }]);
  assert.deepEqual(parseItems('[{"contentType":"Text","text":{"body":"x"}}]'), [{ contentType: "Text", text: { body: "x" } }]);
  for (const bad of ["", "{", "3", "null", "[[]]", '[{"contentType":3}]']) assert.equal(parseItems(bad), undefined, bad);
});

test("a hostile value in known content does not break the editor", () => {
  const hostile = /** @type {any} */ ([{ contentType: "Card", card: { title: 7, description: null, actions: [null, { type: "Other", text: [] }], more: { x: 1 } } }]);
  const draft = draftOf(hostile);
  assert.deepEqual(Object.keys(/** @type {Value} */ (draft?.value)), ["title", "description", "image", "actions"]);
  assert.ok(complaints(kindOf("card").fields, /** @type {Value} */ (draft?.value)).length > 0);
});

test("moments go to the reader's zone and back", () => {
  const iso = "2026-05-11T08:30:00.000Z";
  assert.equal(fromLocalMoment(asLocalMoment(iso)), iso);
  assert.deepEqual([asLocalMoment("soon"), fromLocalMoment("")], ["", ""]);
});
