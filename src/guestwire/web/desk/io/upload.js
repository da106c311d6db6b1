/**
 * A file on its way to the emulator, with its progress: what `fetch` can't tell.
 *
 * @import { Attachment } from "../core/types.js"
 */

import { ApiError, refusalOf } from "./api.js";

/**
 * @param {File} file
 * @param {{ onProgress: (sent: number) => void, signal: AbortSignal }} options
 * @returns {Promise<Attachment>} The file as the emulator keeps it; an `ApiError` (code `aborted` when given up) else.
 */
export function upload(file, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const over = new AbortController();
    /** @param {ApiError} error */
    const fail = (error) => {
      over.abort();
      reject(error);
    };
    request.open("POST", "/desk/api/files");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.setRequestHeader("Filename", encodeURIComponent(file.name));
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    request.addEventListener("load", () => {
      over.abort();
      const answer = refusalOf(request.status, request.responseText, request.statusText);
      if (answer instanceof ApiError) reject(answer);
      else resolve(/** @type {Attachment} */ (answer));
    });
    request.addEventListener("error", () => fail(new ApiError("unreachable", "The connection was lost.", 0)));
    request.addEventListener("abort", () => fail(new ApiError("aborted", "The upload was given up.", 0)));
    signal.addEventListener("abort", () => request.abort(), { signal: over.signal });
    request.send(file);
  });
}
