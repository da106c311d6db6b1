/**
 * The switches of a deployment, as a table in the order of the panel; the words for each are in the locale.
 *
 * @typedef {object} Switch
 * @property {string} name The member of the deployment.
 * @property {"toggle" | "choice" | "text" | "lines" | "number" | "colour"} type Lines are one entry a line.
 * @property {readonly string[]} [options] Of a choice.
 * @property {{ name: string, is: boolean }} [needs] Means nothing while that switch is set otherwise.
 * @property {number} [max] Of a number.
 * @typedef {{ name: string, switches: readonly Switch[] }} SwitchGroup
 */

/** @param {string} name @returns {Switch} */
const toggle = (name) => ({ name, type: "toggle" });

/** @type {readonly SwitchGroup[]} */
export const SWITCH_GROUPS = [
  {
    name: "access",
    switches: [
      toggle("isActive"),
      toggle("allowAllDomains"),
      { name: "allowedDomains", type: "lines", needs: { name: "allowAllDomains", is: false } },
      toggle("auth"),
      { name: "stepUp", type: "toggle", needs: { name: "auth", is: true } },
    ],
  },
  {
    name: "conversation",
    switches: [
      toggle("autoStart"),
      toggle("botGreets"),
      { name: "disconnect", type: "choice", options: ["off", "Send", "ReadOnly"] },
      toggle("clear"),
      { name: "sessionDurationS", type: "number", max: 47_520_000 },
    ],
  },
  {
    name: "look",
    switches: [
      toggle("markdown"),
      toggle("humanize"),
      { name: "botName", type: "text", needs: { name: "humanize", is: true } },
      { name: "botAvatar", type: "text", needs: { name: "humanize", is: true } },
      { name: "colour", type: "colour" },
    ],
  },
  { name: "typing", switches: [toggle("agentTyping"), toggle("guestTyping")] },
  {
    name: "attachments",
    switches: [
      toggle("attachments"),
      { name: "fileTypes", type: "lines", needs: { name: "attachments", is: true } },
      { name: "maxFileKb", type: "number", max: 25_000, needs: { name: "attachments", is: true } },
      { name: "blockedExtensions", type: "lines", needs: { name: "attachments", is: true } },
    ],
  },
];

/**
 * @param {Switch} one
 * @param {Record<string, unknown>} deployment
 * @returns {string} A value that is no toggle, as its field shows it.
 */
export function shownValue({ name, type }, deployment) {
  const value = deployment[name];
  if (type === "lines") return Array.isArray(value) ? value.join("\n") : "";
  return value === undefined ? "" : String(value);
}

/**
 * @param {Switch} one
 * @param {string} text As it stands in the field.
 * @returns {unknown} The value to be set; undefined for a number that is none.
 */
export function writtenValue({ name, type }, text) {
  if (type === "lines") return text.split(/[\n,]/u).map((line) => line.trim()).filter(Boolean);
  if (type === "number") return /^\d+$/u.test(text.trim()) ? Number(text) : undefined;
  return text.trim() === "" && name === "botAvatar" ? null : text.trim();
}

/**
 * Where guests' programs find a deployment, as seen from this page's own address.
 *
 * @param {string} id
 * @param {string} origin Of the emulator.
 * @returns {{ name: "id" | "socket" | "rest" | "config" | "domains", value: string }[]}
 */
export function addresses(id, origin) {
  const cdn = `${origin}/webdeployments/v1/deployments/${encodeURIComponent(id)}`;
  return [
    { name: "id", value: id },
    { name: "socket", value: `${origin.replace(/^http/u, "ws")}/v1?deploymentId=${encodeURIComponent(id)}` },
    { name: "rest", value: origin },
    { name: "config", value: `${cdn}/config.json` },
    { name: "domains", value: `${cdn}/domains.json` },
  ];
}
