/** The files beside the message that is being written: one upload at a time, in their order. */

/** @import { FileRules, Session } from "../core/types.js" */
/** @import { Draft, Uploaded } from "../core/files.js" */

import { MOST_FILES, refusalOf } from "../core/files.js";
import { RequestError } from "./http.js";
import { takeBack, upload } from "./upload.js";

export class Uploads {
  #gateway;
  #session;
  #onChange;
  /** @type {(Draft & { file: File, session?: Session })[]} */
  #drafts = [];
  #count = 0;
  #current = new AbortController();
  #isBusy = false;

  /**
   * @param {object} options
   * @param {string} options.gateway Base URL, ends with "/".
   * @param {() => Session | undefined} options.session Asked before every upload.
   * @param {(announced?: Draft) => void} options.onChange With a file whose fate is to be said.
   */
  constructor({ gateway, session, onChange }) {
    this.#gateway = gateway;
    this.#session = session;
    this.#onChange = onChange;
  }

  /** @returns {Draft[]} */
  get drafts() {
    return this.#drafts;
  }

  get isBusy() {
    return this.#drafts.some(({ state }) => state === "waiting" || state === "uploading");
  }

  /**
   * @param {File[]} files
   * @param {FileRules} [rules]
   */
  add(files, rules) {
    for (const file of files) {
      const isFull = this.#drafts.filter(({ state }) => state !== "failed").length >= MOST_FILES;
      const code = isFull ? "too-many-files" : refusalOf(file, rules);
      this.#count += 1;
      const { name, size } = file;
      this.#drafts.push({ key: String(this.#count), name, size, state: code ? "failed" : "waiting", progress: 0, code, file });
      if (code) this.#onChange(this.#drafts.at(-1));
    }
    this.#next();
  }

  /** @param {string} key */
  remove(key) {
    const draft = this.#drafts.find((one) => one.key === key);
    if (!draft) return;
    this.#drafts = this.#drafts.filter((one) => one !== draft);
    if (draft.state === "uploading") this.#current.abort();
    if (draft.uploaded && draft.session) takeBack(this.#gateway, draft.session, draft.uploaded.id);
    this.#next();
  }

  /** @param {string} key */
  retry(key) {
    this.#change(key, { state: "waiting", code: undefined, progress: 0 });
    this.#next();
  }

  /** @returns {Uploaded[]} What goes with the message that is sent now; what failed stays. */
  take() {
    const taken = this.#drafts.flatMap(({ uploaded }) => uploaded ?? []);
    this.#drafts = this.#drafts.filter(({ uploaded }) => !uploaded);
    this.#onChange();
    return taken;
  }

  /** Another session knows nothing of these. */
  forget() {
    this.#drafts = this.#drafts.map((draft) =>
      draft.uploaded ? { ...draft, uploaded: undefined, state: "failed", code: "attachment-expired" } : draft,
    );
    this.#onChange();
  }

  close() {
    this.#drafts = [];
    this.#current.abort();
  }

  /**
   * @param {string} key
   * @param {Partial<Draft & { session: Session }>} changes
   * @param {boolean} [isSaid]
   */
  #change(key, changes, isSaid = false) {
    this.#drafts = this.#drafts.map((draft) => (draft.key === key ? { ...draft, ...changes } : draft));
    this.#onChange(isSaid ? this.#drafts.find((draft) => draft.key === key) : undefined);
  }

  async #next() {
    this.#onChange();
    const draft = this.#drafts.find(({ state }) => state === "waiting");
    if (this.#isBusy || !draft) return;
    const { key, file } = draft;
    const { signal } = (this.#current = new AbortController());
    const session = this.#session();
    this.#isBusy = true;
    this.#change(key, { state: "uploading", session });
    const stopped = new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    try {
      if (!session) throw new RequestError({ code: "unreachable" });
      const onProgress = (/** @type {number} */ progress) => this.#change(key, { progress });
      const uploaded = await Promise.race([upload(this.#gateway, session, file, { signal, onProgress }), stopped]);
      if (uploaded) this.#change(key, { state: "done", progress: 1, uploaded }, true);
    } catch (error) {
      const code = error instanceof RequestError ? error.error.code : "attachment-failed";
      this.#change(key, { state: "failed", code }, true);
    } finally {
      this.#isBusy = false;
    }
    this.#next();
  }
}
