/** What holds in a session, as the gateway's `session` frame says it. */

/** @import { FileRules, Terms } from "./types.js" */

import { parseTime } from "./decode.js";

/** What holds where nobody has said anything. @type {Terms} */
export const NO_TERMS = Object.freeze({ type: "terms", features: [], readOnly: false });

/**
 * @param {Record<string, any>} frame
 * @returns {Terms}
 */
export function termsOf({ features, limits, expiresAt: expires, readOnly, bot, colour }) {
  const files = fileRulesOf(limits.attachments);
  const expiresAt = parseTime(expires);
  const { name, avatar } = bot ?? {};
  return {
    type: "terms",
    features,
    readOnly,
    ...(files && { files }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(bot && { bot: { ...(typeof name === "string" && { name }), ...(typeof avatar === "string" && { avatar }) } }),
    ...(/^#[\da-f]{6}$/iu.test(colour ?? "") && { colour }),
  };
}

/** @param {any} rules @returns {FileRules | undefined} */
function fileRulesOf(rules) {
  if (typeof rules !== "object" || rules === null) return undefined;
  const { maxBytes, types, blockedExtensions } = rules;
  return {
    ...(maxBytes > 0 && { maxBytes }),
    types: strings(types),
    blockedExtensions: strings(blockedExtensions),
  };
}

/** @param {unknown} value @returns {string[]} In small letters. */
function strings(value) {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string").map((one) => one.toLowerCase()) : [];
}
