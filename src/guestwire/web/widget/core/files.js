/** Files that the guest wants to send: what the provider takes, and the message's part that names them. */

/** @import { ContentItem, FileRules } from "./types.js" */

/**
 * As the gateway answers an upload.
 *
 * @typedef {{ id: string, filename: string, mime?: string, mediaType?: string, fileSize?: number }} Uploaded
 */

/**
 * @typedef {object} Draft
 * @property {string} key
 * @property {string} name
 * @property {number} size
 * @property {"waiting" | "uploading" | "done" | "failed"} state
 * @property {number} progress 0 to 1.
 * @property {string} [code] Why it failed: a key of the words.
 * @property {Uploaded} [uploaded]
 */

/** So many in one message, as many as a person chooses on purpose. */
export const MOST_FILES = 10;

/**
 * @param {{ name: string, type: string, size: number }} file
 * @param {FileRules} [rules] Without any, the provider decides.
 * @returns {string | undefined} Why it may not be sent: a key of the words.
 */
export function refusalOf({ name, type, size }, rules) {
  if (size === 0) return "attachment-empty";
  const dot = name.lastIndexOf(".");
  if (dot < 1 || dot === name.length - 1) return "attachment-name";
  if (!rules) return undefined;
  const { maxBytes, types, blockedExtensions } = rules;
  if (blockedExtensions.includes(name.slice(dot).toLowerCase())) return "attachment-type";
  // A browser that does not know a type gives none: then the provider decides.
  const isTaken = !types.length || !type || types.some((one) => fits(type.toLowerCase(), one));
  if (!isTaken) return "attachment-type";
  return maxBytes !== undefined && size > maxBytes ? "attachment-too-large" : undefined;
}

/**
 * @param {string} type
 * @param {string} rule
 */
function fits(type, rule) {
  return rule === "*/*" || rule === type || (rule.endsWith("/*") && type.startsWith(rule.slice(0, -1)));
}

/**
 * @param {Uploaded[]} files
 * @returns {ContentItem[]}
 */
export function attachmentItems(files) {
  return files.map(({ id, filename, mime, mediaType, fileSize }) => ({
    contentType: "Attachment",
    attachment: { id, filename, mime, mediaType, fileSize },
  }));
}
