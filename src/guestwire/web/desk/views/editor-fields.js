/**
 * Fields of rich content, drawn from their table: groups in groups, lists whose entries come, go and move.
 *
 * @import { Complaint } from "../core/content-value.js"
 * @import { Field, GroupField, ListField, PlainField, Value } from "../core/content-kinds.js"
 * @import { Words } from "../locales/en.js"
 */

import { asLocalMoment, blank, fromLocalMoment, isShown } from "../core/content-value.js";
import { enable, h, onPress, setAttribute, setText } from "./dom.js";
import { button, iconButton } from "./parts.js";

/**
 * @param {{ fields: ReadonlyArray<Field>, value: Value, words: Words, onChange: () => void }} options
 */
export function createFields({ fields, value, words, onChange }) {
  let current = value;
  const element = h("div", { class: "fields" });
  draw();

  /** @param {string} [focusPath] What has the focus afterwards. */
  function draw(focusPath) {
    element.replaceChildren(...drawFields(fields, current, ""));
    if (focusPath !== undefined) focusAt(focusPath);
  }

  /** @param {string} path Of a field, or of what holds it. */
  function focusAt(path) {
    const [first] = [...element.querySelectorAll("[data-path]")].filter((one) => one instanceof HTMLElement && one.dataset.path?.startsWith(path));
    if (first instanceof HTMLElement) first.focus();
  }

  /** @param {readonly Field[]} list @param {Value} inner @param {string} path @returns {HTMLElement[]} */
  function drawFields(list, inner, path) {
    return list.filter((field) => isShown(field, inner)).map((field) => {
      const here = `${path}${field.name}`;
      if (field.type === "group") return drawGroup(field, /** @type {Value} */ (inner[field.name]), here);
      if (field.type === "list") return drawList(field, /** @type {Value[]} */ (inner[field.name]), here);
      return drawField(field, inner, here, list.some((one) => one.when?.field === field.name));
    });
  }

  /** @param {GroupField} field @param {Value} inner @param {string} path */
  function drawGroup(field, inner, path) {
    // What a choice beside it has brought needs no frame of its own.
    if (field.when) return h("div", { class: "fields" }, ...drawFields(field.fields, inner, `${path}.`));
    return h("fieldset", { class: "field-group" }, h("legend", {}, label(field.name)), ...drawFields(field.fields, inner, `${path}.`));
  }

  /** @param {ListField} field @param {Value[]} items @param {string} path */
  function drawList(field, items, path) {
    const add = button(words.editor.add(label(field.name, true)), "normal", "plus");
    enable(add, items.length < field.max);
    onPress(add, () => {
      items.push(blank(field.fields));
      draw(`${path}.${items.length - 1}.`);
      onChange();
    });
    const entries = items.map((one, index) => {
      const name = words.editor.entry(label(field.name, true), index + 1);
      const tools = [
        tool("up", words.editor.up(name), index > 0, () => move(items, index, index - 1, path)),
        tool("down", words.editor.down(name), index < items.length - 1, () => move(items, index, index + 1, path)),
        tool("trash", words.editor.remove(name), items.length > field.min, () => {
          items.splice(index, 1);
          draw(`${path}.${Math.min(index, items.length - 1)}.`);
        }),
      ];
      return h(
        "li",
        { class: "entry" },
        h("fieldset", { class: "field-group" }, h("legend", {}, name), h("div", { class: "entry-tools" }, ...tools), ...drawFields(field.fields, one, `${path}.${index}.`)),
      );
    });
    return h("div", { class: "field-list" }, h("ol", { class: "entries", "aria-label": label(field.name) }, ...entries), add);
  }

  /** @param {Value[]} items @param {number} from @param {number} to @param {string} path */
  function move(items, from, to, path) {
    items.splice(to, 0, ...items.splice(from, 1));
    draw(`${path}.${to}.`);
  }

  /** @param {import("./icons.js").IconName} icon @param {string} name @param {boolean} isEnabled @param {() => void} act */
  function tool(icon, name, isEnabled, act) {
    const pressed = iconButton(icon, name, "entry-tool");
    enable(pressed, isEnabled);
    onPress(pressed, () => {
      act();
      onChange();
    });
    return pressed;
  }

  /** @param {PlainField} field @param {Value} inner @param {string} path @param {boolean} rules Whether others show by it. */
  function drawField(field, inner, path, rules) {
    const id = `field-${path}`;
    const control = createControl(field, inner[field.name], words);
    for (const [name, set] of Object.entries({ id, "data-path": path, "aria-describedby": `${id}-complaint`, "aria-required": field.isRequired ? "true" : undefined })) {
      setAttribute(control, name, set);
    }
    control.addEventListener(rules ? "change" : "input", () => {
      inner[field.name] = readControl(field, control);
      setAttribute(control, "aria-invalid", undefined);
      if (rules) draw(path);
      onChange();
    });
    const name = h("label", { for: id }, label(field.name), field.isRequired && h("span", { class: "needed", "aria-hidden": "true" }, " *"));
    const complaint = h("p", { id: `${id}-complaint`, class: "field-complaint" });
    return field.type === "check"
      ? h("div", { class: "field field-check" }, control, name, complaint)
      : h("div", { class: `field field-${field.type}` }, name, control, complaint);
  }

  /** @param {string} name @param {boolean} [isSingle] */
  function label(name, isSingle = false) {
    return (isSingle ? words.editor.single[name] : words.editor.fields[name]) ?? name;
  }

  return {
    element,
    value: () => current,
    /** @param {Value} next */
    take(next) {
      current = next;
      draw();
    },
    /** @param {readonly Complaint[]} found Shown at their fields; the first one gets the focus. */
    complain(found) {
      for (const control of element.querySelectorAll("[data-path]")) {
        if (!(control instanceof HTMLElement)) continue;
        const wrong = found.find((one) => one.path === control.dataset.path);
        setAttribute(control, "aria-invalid", wrong ? "true" : undefined);
        const text = element.querySelector(`#${CSS.escape(`${control.id}-complaint`)}`);
        if (text) setText(text, wrong ? words.editor.complaints[wrong.code] : "");
      }
      const [first] = found;
      if (first) focusAt(first.path);
    },
  };

}

/** @param {PlainField} field @param {unknown} value @param {Words} words */
function createControl({ type, name, options = [] }, value, words) {
  if (type === "long") {
    const area = h("textarea", { class: "input area", rows: 2, dir: "auto" });
    area.value = String(value);
    return area;
  }
  if (type === "choice") {
    const select = h("select", { class: "input" }, ...options.map((one) => h("option", { value: one }, words.editor.options[one] ?? one)));
    select.value = String(value);
    return select;
  }
  const kind = /** @type {const} */ ({ text: "text", url: "url", check: "checkbox", moment: "datetime-local", minutes: "number" })[type];
  const input = h("input", { type: kind, class: type === "check" ? "checkbox" : "input", dir: type === "text" ? "auto" : undefined, min: type === "minutes" ? 1 : undefined, autocomplete: "off", "data-name": name });
  if (type === "check") input.checked = value === true;
  else if (type === "moment") input.value = asLocalMoment(String(value));
  else input.value = type === "minutes" ? String(Number(value) / 60) : String(value);
  return input;
}

/** @param {PlainField} field @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control @returns {unknown} */
function readControl({ type }, control) {
  if (type === "check") return control instanceof HTMLInputElement && control.checked;
  if (type === "minutes") return Math.round(Number(control.value) * 60);
  return type === "moment" ? fromLocalMoment(control.value) : control.value;
}
