/** One file on its way to the gateway: with XMLHttpRequest, since fetch tells nothing of an upload's progress. */

/** @import { Session } from "../core/types.js" */
/** @import { Uploaded } from "../core/files.js" */

import { ERRORS } from "../core/tables.js";
import { RequestError } from "./http.js";

/** What a status means when the body has no code that we know. @type {Record<number, string>} */
const CODE_OF_STATUS = { 400: "attachment-invalid", 413: "attachment-too-large", 415: "attachment-type", 429: "rate-limited", 503: "upstream-busy" };

/**
 * @param {string} gateway
 * @param {Session} session
 * @param {string} [id]
 */
function addressOf(gateway, { sessionId }, id) {
  const path = `api/v2/chat/guestsessions/${encodeURIComponent(sessionId)}/attachments`;
  return new URL(id === undefined ? path : `${path}/${encodeURIComponent(id)}`, gateway).href;
}

/**
 * @param {string} gateway Base URL, ends with "/".
 * @param {Session} session
 * @param {File} file
 * @param {{ signal: AbortSignal, onProgress: (part: number) => void }} options
 * @returns {Promise<Uploaded>}
 * @throws {RequestError} Never when it was aborted: then nothing happens any more.
 */
export function upload(gateway, session, file, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", addressOf(gateway, session));
    request.responseType = "json";
    request.setRequestHeader("Authorization", `Bearer ${session.token}`);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.setRequestHeader("Filename", encodeURIComponent(file.name.toWellFormed()));
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    request.addEventListener("load", () => {
      const { response: body, status } = request;
      if (status < 300 && typeof body?.id === "string") {
        resolve({ ...body, filename: typeof body.filename === "string" ? body.filename : file.name });
        return;
      }
      const known = Object.hasOwn(ERRORS, body?.code) ? body.code : CODE_OF_STATUS[status];
      reject(new RequestError({ code: known ?? "attachment-failed" }, status));
    });
    request.addEventListener("error", () => reject(new RequestError({ code: "unreachable" })));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

/**
 * Take a file back that no message has named. Whether that worked is nobody's concern: it is forgotten anyway, later.
 *
 * @param {string} gateway
 * @param {Session} session
 * @param {string} id
 */
export function takeBack(gateway, session, id) {
  const headers = { Authorization: `Bearer ${session.token}` };
  fetch(addressOf(gateway, session, id), { method: "DELETE", headers, credentials: "omit", keepalive: true }).catch(() => {});
}
