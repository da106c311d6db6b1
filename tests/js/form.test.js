/** Forms: what they ask, what is missing, and the answer in the platform's words. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { dayChoice, formAnswer, formOf, missingOn, valuesIn } from "../../src/guestwire/web/widget/core/form.js";

const GIVEN = {
  cannedResponseId: "c1",
  showSummary: true,
  introduction: { title: "Two questions", buttonText: "Start" },
  replyMessage: { title: "Thanks" },
  formPages: [
    { title: "You", pageComponents: [
      { formComponentType: "Input", input: { id: "name", title: "Name", isRequired: true, keyboardType: "Default", autoCompleteType: "name" } },
      { formComponentType: "Input", input: { id: "mail", isMultipleLine: true, keyboardType: "Email", autoCompleteType: "nonsense" } },
      { formComponentType: "DatePicker", datePicker: { id: "day", title: "Day", dateDisplayFormat: "dayMonthYear" } },
      { formComponentType: "Hologram", hologram: { id: "x" } },
      { formComponentType: "Input", input: {} },
    ] },
    { pageComponents: [] },
    { title: "More", pageComponents: [
      { formComponentType: "ListPicker", listPicker: { id: "tools", sections: [{ title: "Tools", multipleSelection: true, items: [{ id: "b", title: "Brush" }, { id: "r", title: "Roller" }] }] } },
      { formComponentType: "WheelPicker", wheelPicker: { id: "floor", items: [{ id: "g", title: "Ground", value: "0" }] } },
    ] },
  ],
};

const form = /** @type {import("../../src/guestwire/web/widget/core/form.js").Form} */ (formOf(GIVEN));

test("what can't be asked is left out, and so is a page without a question", () => {
  assert.deepEqual(form.pages.map(({ fields }) => fields.map(({ id, kind }) => `${kind} ${id}`)), [["input name", "input mail", "date day"], ["list tools", "wheel floor"]]);
  assert.deepEqual([form.id, form.reply, form.introduction?.button, form.hasSummary], ["c1", "Thanks", "Start", true]);
  for (const given of [undefined, null, {}, { formPages: {} }, { formPages: [{ pageComponents: [null] }] }]) assert.equal(formOf(given), undefined);
});

test("limits and keyboards are the platform's; only autofill words that browsers know pass", () => {
  const [name, mail] = /** @type {any[]} */ (form.pages[0].fields);
  assert.deepEqual([name.maxLength, name.autocomplete, mail.maxLength, mail.inputMode, mail.autocomplete], [30, "name", 300, "email", undefined]);
});

test("a date and what is required must be there, blank is not", () => {
  const values = new Map([["name", [{ text: "  ", payload: "  " }]]]);
  assert.deepEqual(missingOn(form.pages[0], values).map(({ id }) => id), ["name", "day"]);
  values.set("name", [{ text: "Ada", payload: "Ada" }]);
  values.set("day", [{ text: "24/12/2026", payload: "2026-12-24T00:00:00.000Z" }]);
  assert.deepEqual(missingOn(form.pages[0], values), []);
  assert.deepEqual(missingOn(form.pages[1], new Map()), []);
});

test("an entry for each thing chosen, none for a field left alone, an empty one for a picker left alone", () => {
  const values = new Map([
    ["name", [{ text: "Ada", payload: "Ada" }]],
    ["tools", [{ text: "Brush", payload: "b" }, { text: "Roller", payload: "r" }]],
  ]);
  const [item] = /** @type {any[]} */ (formAnswer(form, values, "p1"));
  assert.deepEqual([item.contentType, item.form.originatingMessageId, item.form.cannedResponseId], ["Form", "p1", "c1"]);
  assert.deepEqual(
    item.form.response.map((/** @type {any} */ { id, component }) => [id, component.contentType, component.buttonResponse.type, component.buttonResponse.text, component.buttonResponse.payload]),
    [
      ["name", "ButtonResponse", "Form", "Ada", "Ada"],
      ["tools", "ButtonResponse", "Form", "Brush", "b"],
      ["tools", "ButtonResponse", "Form", "Roller", "r"],
      ["floor", "ButtonResponse", "Form", "", ""],
    ],
  );
  assert.deepEqual(valuesIn([item, { contentType: "Form" }, { contentType: "Form", form: { response: [null, { id: "x" }] } }]), values);
});

test("a day is written as the form wants it and sent as midnight in UTC", () => {
  assert.deepEqual(dayChoice("2026-12-24", "dayMonthYear"), { text: "24/12/2026", payload: "2026-12-24T00:00:00.000Z" });
  assert.equal(dayChoice("2026-12-24", "yearMonthDay")?.text, "2026/12/24");
  assert.equal(dayChoice("2026-12-24", "")?.text, "12/24/2026");
  assert.equal(dayChoice("", ""), undefined);
});
