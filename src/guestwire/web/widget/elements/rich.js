/** Rich content, its code and its style sheet fetched on first need: most chats are text. */

/** @import { MessageRow } from "../core/types.js" */
/** @import { Place } from "./rich/draw.js" */

import { adoptSheet } from "./styles.js";

/** @type {typeof import("./rich/draw.js") | undefined} */
let module;

/** @type {Promise<void> | undefined} */
let loading;

export const rich = {
  get isLoaded() {
    return module !== undefined;
  },

  /**
   * @param {MessageRow} row
   * @param {Place} place
   * @returns {{ parts: HTMLElement[], chips?: HTMLFieldSetElement }} Nothing until it is loaded.
   */
  draw: (row, place) => module?.drawContent(row, place) ?? { parts: [] },

  /**
   * @param {Node} place Where it is needed.
   * @returns {Promise<void>} Done when it can be drawn; when it can't be had, it is tried again the next time.
   */
  async load(place) {
    await adoptSheet(place, "rich");
    loading ??= import("./rich/draw.js").then(
      (loaded) => {
        module = loaded;
      },
      () => {
        loading = undefined;
      },
    );
    await loading;
  },
};
