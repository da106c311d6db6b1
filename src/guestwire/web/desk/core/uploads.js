/**
 * Files that wait in the composer: on their way to the emulator, there, or failed.
 *
 * @import { ContentItem, Input, Upload, Work } from "./types.js"
 */

/** @type {readonly Upload[]} */
const NONE = [];

/** @param {Work} work @param {string | undefined} conversationId @returns {readonly Upload[]} */
export function uploadsOf(work, conversationId) {
  return (conversationId !== undefined && work.uploads.get(conversationId)) || NONE;
}

/**
 * @param {Work} work
 * @param {Extract<Input, { type: "upload-added" | "upload-changed" | "upload-gone" }>} input
 * @returns {Work}
 */
export function foldUpload(work, input) {
  const known = uploadsOf(work, input.conversationId);
  switch (input.type) {
    case "upload-added":
      return withUploads(work, input.conversationId, [...known, input.upload]);
    case "upload-changed":
      return withUploads(work, input.conversationId, known.map((one) => (one.id === input.uploadId ? { ...one, ...input.change } : one)));
    default:
      return withUploads(work, input.conversationId, known.filter((one) => one.id !== input.uploadId));
  }
}

/** @param {Work} work @param {string} conversationId @param {readonly Upload[]} uploads @returns {Work} */
export function withUploads(work, conversationId, uploads) {
  const all = new Map(work.uploads);
  if (uploads.length) all.set(conversationId, uploads);
  else all.delete(conversationId);
  return { ...work, uploads: all };
}

/** @param {readonly Upload[]} uploads @returns {boolean} Whether some are still on their way. */
export function areUploading(uploads) {
  return uploads.some((one) => one.fileId === undefined && one.problem === undefined);
}

/** @param {readonly Upload[]} uploads @returns {Upload[]} Those that can be sent. */
export function readyUploads(uploads) {
  return uploads.filter((one) => one.fileId !== undefined);
}

/** @param {readonly Upload[]} uploads @returns {ContentItem[]} */
export function attachmentsOf(uploads) {
  return uploads.map(({ fileId, name, mime, size }) => ({
    contentType: "Attachment",
    attachment: { id: fileId, filename: name, mime, fileSize: size },
  }));
}
