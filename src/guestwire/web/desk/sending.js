/**
 * What an agent sends: texts, files and rich content, each in its order.
 *
 * @import { ContentItem, Problem, Template, Upload } from "./core/types.js"
 * @import { Desktop } from "./commands.js"
 */

import { isOnline } from "./core/selectors.js";
import { attachmentsOf, readyUploads, uploadsOf } from "./core/uploads.js";
import { api, problemOf } from "./io/api.js";
import { upload } from "./io/upload.js";

/** The desk API asks for no more than one typing mark in this time. */
const TYPING_EVERY_MS = 3000;

/** @param {Desktop} desktop */
export function createSending({ state, dispatch, say, words }) {
  /** @type {Map<string, number>} When typing was last told, by conversation. */
  const typedAt = new Map();
  /** @type {Map<string, Promise<unknown>>} The last send of each conversation: order is kept by waiting for it. */
  const lastSend = new Map();
  /** @type {Map<string, AbortController>} Uploads on their way. */
  const underWay = new Map();
  let count = 0;

  /**
   * @param {string} id
   * @param {string} text
   * @param {{ content?: ContentItem[], uploads?: readonly Upload[] }} more
   */
  function queue(id, text, { content, uploads }) {
    const { meId, asBot } = state().work;
    if (meId === undefined) return;
    count += 1;
    const pendingId = `pending-${count}`;
    const message = { id: pendingId, text, at: Date.now(), ...(asBot && { asBot }), ...(content && { content }), ...(uploads && { uploads }) };
    dispatch({ type: "sending", conversationId: id, message });
    typedAt.delete(id);
    const sent = (lastSend.get(id) ?? Promise.resolve()).then(async () => {
      try {
        const entry = await api.send(id, { agentId: meId, text, asBot, ...(content && { content }) });
        dispatch({ type: "sent", conversationId: id, pendingId, entry, now: Date.now() });
      } catch (error) {
        dispatch({ type: "refused", conversationId: id, pendingId, problem: problemOf(error) });
      }
    });
    lastSend.set(id, sent);
  }

  return {
    /** @param {string} id @param {string} text With the files that are there. */
    send: (id, text) => {
      const uploads = readyUploads(uploadsOf(state().work, id));
      queue(id, text, uploads.length ? { content: attachmentsOf(uploads), uploads } : {});
      dispatch({ type: "drafted", conversationId: id, text: "" });
    },

    /** @param {string} id @param {Template} template */
    sendTemplate: (id, { text, content }) => queue(id, text, { content }),

    /**
     * Send what an editor made; it stays open, with the reason, when that is refused.
     *
     * @param {string} id
     * @param {string} text
     * @param {ContentItem[]} content
     * @returns {Promise<Problem | undefined>}
     */
    sendContent: async (id, text, content) => {
      const { meId, asBot } = state().work;
      if (meId === undefined) return { code: "not-found" };
      try {
        const entry = await api.send(id, { agentId: meId, text, content, asBot });
        dispatch({ type: "said", conversationId: id, entry });
        return undefined;
      } catch (error) {
        return problemOf(error);
      }
    },

    /** @param {string} conversationId @param {readonly File[]} files */
    attach: (conversationId, files) => {
      for (const file of files) {
        count += 1;
        const uploadId = `upload-${count}`;
        const giveUp = new AbortController();
        underWay.set(uploadId, giveUp);
        /** @param {Partial<Upload>} change */
        const note = (change) => dispatch({ type: "upload-changed", conversationId, uploadId, change });
        dispatch({ type: "upload-added", conversationId, upload: { id: uploadId, name: file.name, mime: file.type, size: file.size, sent: 0 } });
        upload(file, { onProgress: (sent) => note({ sent }), signal: giveUp.signal })
          .then(({ id, filename, mime }) => {
            note({ fileId: id, name: filename ?? file.name, mime: mime ?? file.type, sent: file.size });
            say(words.attachment.ready(file.name));
          })
          .catch((error) => {
            const problem = problemOf(error);
            if (problem.code === "aborted") return;
            note({ problem });
            say(words.attachment.failed(file.name));
          })
          .finally(() => underWay.delete(uploadId));
      }
    },

    /** @param {string} conversationId @param {string} uploadId Given up where it is on its way. */
    removeUpload: (conversationId, uploadId) => {
      underWay.get(uploadId)?.abort();
      dispatch({ type: "upload-gone", conversationId, uploadId });
    },

    /** @param {boolean} asBot */
    setVoice: (asBot) => dispatch({ type: "voice", asBot }),

    /** @param {string} id */
    tellTyping: (id) => {
      const { meId, asBot } = state().work;
      const now = Date.now();
      if (meId === undefined || asBot || !isOnline(state()) || now - (typedAt.get(id) ?? 0) < TYPING_EVERY_MS) return;
      typedAt.set(id, now);
      // A typing mark that is lost is nobody's loss.
      api.command(id, "typing", meId).catch(problemOf);
    },
  };
}
