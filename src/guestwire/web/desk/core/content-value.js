/**
 * What stands in an editor of rich content: begun, checked, and made into content items.
 *
 * @import { ContentItem } from "./types.js"
 * @import { Field, Kind, KindName, Value } from "./content-kinds.js"
 */

import { KINDS, kindOf } from "./content-kinds.js";
import { safeUrl } from "./text.js";

/** @typedef {{ kind: KindName, value: Value }} Drafted */
/** @typedef {{ path: string, code: "required" | "address" | "moment" | "minutes" }} Complaint `path` is like `cards.0.title`. */

/** @param {readonly Field[]} fields @returns {Value} Lists have the least that they may have. */
export function blank(fields) {
  return Object.fromEntries(fields.map((field) => [field.name, blankOf(field)]));
}

/** @param {Field} field @returns {unknown} */
function blankOf(field) {
  switch (field.type) {
    case "group":
      return blank(field.fields);
    case "list":
      return Array.from({ length: Math.max(1, field.min) }, () => blank(field.fields));
    case "check":
      return false;
    case "choice":
      return field.options?.[0] ?? "";
    case "minutes":
      return 1800;
    default:
      return "";
  }
}

/**
 * Open content for editing.
 *
 * @param {readonly ContentItem[]} items
 * @returns {Drafted | undefined} Undefined when no editor can show all of it; then it is edited as JSON.
 */
export function draftOf(items) {
  for (const kind of KINDS) {
    const value = kind.fromItems(items);
    if (value !== undefined) return { kind: kind.name, value: /** @type {Value} */ (filled(kind.fields, structuredClone(value))) };
  }
  return undefined;
}

/** @param {readonly Field[]} fields @param {Value} value @returns {Value} With every field there, and none that is no field. */
function filled(fields, value) {
  return Object.fromEntries(
    fields.map((field) => {
      const known = value[field.name];
      if (field.type === "group") return [field.name, filled(field.fields, isRecord(known) ? known : {})];
      if (field.type === "list" && Array.isArray(known) && known.length > 0) {
        return [field.name, known.filter(isRecord).map((one) => filled(field.fields, one))];
      }
      const fits = field.type === "list" ? false : typeof known === typeof blankOf(field);
      return [field.name, fits ? known : blankOf(field)];
    }),
  );
}

/** @param {unknown} value @returns {value is Value} */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {Field} field @param {Value} value @returns {boolean} */
export function isShown(field, value) {
  return !field.when || value[field.when.field] === field.when.is;
}

/**
 * @param {readonly Field[]} fields
 * @param {Value} value
 * @param {string} [path]
 * @returns {Complaint[]} From top to bottom; empty when it can be sent.
 */
export function complaints(fields, value, path = "") {
  return fields
    .filter((field) => isShown(field, value))
    .flatMap((field) => {
      const here = `${path}${field.name}`;
      const found = value[field.name];
      if (field.type === "group") {
        const inner = /** @type {Value} */ (found);
        return isNeeded(field, inner) ? complaints(field.fields, inner, `${here}.`) : [];
      }
      if (field.type === "list") {
        return /** @type {Value[]} */ (found).flatMap((one, index) => complaints(field.fields, one, `${here}.${index}.`));
      }
      const code = complaintOf(field, found);
      return code ? [{ path: here, code }] : [];
    });
}

/** @param {import("./content-kinds.js").GroupField} field @param {Value} inner A group of a choice is always needed. */
function isNeeded(field, inner) {
  return field.when !== undefined || tidy(field.fields, inner) !== undefined;
}

/** @param {import("./content-kinds.js").PlainField} field @param {unknown} found @returns {Complaint["code"] | undefined} */
function complaintOf(field, found) {
  const text = typeof found === "string" ? found.trim() : "";
  if (field.type === "minutes") return Number.isInteger(found) && Number(found) > 0 ? undefined : "minutes";
  if (field.type === "check" || field.type === "choice") return undefined;
  if (text === "") return field.isRequired ? "required" : undefined;
  if (field.type === "url" && !/^https?:/u.test(safeUrl(text) ?? "")) return "address";
  return field.type === "moment" && Number.isNaN(Date.parse(text)) ? "moment" : undefined;
}

/**
 * @param {KindName} name
 * @param {Value} value
 * @returns {ContentItem[]} None while nothing is written.
 */
export function itemsOf(name, value) {
  const kind = /** @type {Kind} */ (kindOf(name));
  const kept = tidy(kind.fields, value);
  return kept ? kind.toItems(kept) : [];
}

/**
 * Leave out what was left empty, and give ids to what has none.
 *
 * @param {readonly Field[]} fields
 * @param {Value} value
 * @param {Set<string>} [ids] Those given out already: within one content each is there once.
 * @returns {Value | undefined} Undefined when nothing was written; a switch or a choice alone is nothing.
 */
function tidy(fields, value, ids = new Set()) {
  /** @type {Value} */
  const kept = {};
  let hasWords = false;
  for (const field of fields) {
    if (!isShown(field, value)) continue;
    const found = value[field.name];
    if (field.type === "group") {
      const inner = tidy(field.fields, /** @type {Value} */ (found), ids);
      hasWords ||= inner !== undefined;
      if (inner || field.isKept) kept[field.name] = inner ?? {};
    } else if (field.type === "list") {
      const items = /** @type {Value[]} */ (found).map((one) => tidy(field.fields, one, ids));
      kept[field.name] = items.map((one) => one ?? {});
      hasWords ||= items.some(Boolean);
    } else if (typeof found !== "string") {
      if (found !== undefined) kept[field.name] = found;
    } else if (field.isId) {
      kept[field.name] = newId(found.trim() || slug(String(value.title ?? "")) || "id", ids);
    } else if (found.trim()) {
      kept[field.name] = field.type === "moment" ? new Date(found).toISOString() : found.trim();
      hasWords ||= field.type !== "choice";
    }
  }
  return hasWords ? kept : undefined;
}

/** @param {string} wanted @param {Set<string>} ids */
function newId(wanted, ids) {
  let made = wanted;
  for (let count = 2; ids.has(made); count += 1) made = `${wanted}-${count}`;
  ids.add(made);
  return made;
}

/** @param {string} title */
function slug(title) {
  return title.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/gu, "-").replace(/^-|-$/gu, "").slice(0, 32);
}

/**
 * Read what a tester wrote as JSON: a list of content items, or one.
 *
 * @param {string} text
 * @returns {ContentItem[] | undefined}
 */
export function parseItems(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const items = Array.isArray(value) ? value : [value];
  return items.every((one) => isRecord(one) && typeof one.contentType === "string") ? items : undefined;
}

/** @param {string} iso @returns {string} The moment as an `<input type="datetime-local">` has it, in the reader's zone. */
export function asLocalMoment(iso) {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return "";
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {string} local @returns {string} ISO 8601 in UTC; empty for what is no moment. */
export function fromLocalMoment(local) {
  const at = Date.parse(local);
  return Number.isNaN(at) ? "" : new Date(at).toISOString();
}
