/**
 * The desk API's commands. Every refusal becomes one `ApiError`, whatever went wrong.
 *
 * @import { Agent, Conversation, ContentItem, Deployment, Entry, ParamValue, Problem, Template } from "../core/types.js"
 */

/** A command took longer than this: the server is as good as gone. */
const TIMEOUT_MS = 15_000;

/** A command was refused, or never reached the server (code `unreachable`, status 0). */
export class ApiError extends Error {
  name = "ApiError";

  /**
   * @param {string} code
   * @param {string} message As the server words it.
   * @param {number} status
   */
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** @param {unknown} error @returns {Problem} What a refusal is to the page; anything else is a fault of ours and thrown on. */
export function problemOf(error) {
  if (error instanceof ApiError) return { code: error.code, message: error.message };
  throw error;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<unknown>} The parsed answer; undefined where the server answers with none.
 */
async function call(method, path, body) {
  /** @type {Response} */
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: "application/json", ...(body !== undefined && { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new ApiError("unreachable", error instanceof Error ? error.message : String(error), 0);
  }
  const answer = refusalOf(response.status, text, response.statusText);
  if (answer instanceof ApiError) throw answer;
  return answer;
}

/**
 * @param {number} status
 * @param {string} text The body.
 * @param {string} reason Stands in where the body has no words.
 * @returns {unknown} The parsed answer, or the `ApiError` that it is.
 */
export function refusalOf(status, text, reason) {
  const value = parsed(text);
  if (status >= 200 && status < 300) return value;
  const { code, message } = /** @type {{ code?: unknown, message?: unknown }} */ (value ?? {});
  return new ApiError(typeof code === "string" ? code : `http-${status}`, typeof message === "string" ? message : reason, status);
}

/** @param {string} text @returns {unknown} */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} conversationId @param {string} command */
const of = (conversationId, command) => `/desk/api/conversations/${encodeURIComponent(conversationId)}/${command}`;
/** @param {string} agentId */
const agent = (agentId) => `/desk/api/agents/${encodeURIComponent(agentId)}`;
/** @param {string} name */
const fault = (name) => `/emulator/faults/${encodeURIComponent(name)}`;

/** @typedef {"accept" | "typing" | "end" | "expire" | "sign-in-elsewhere"} ConversationCommand */
/** @typedef {{ agentId: string, text: string, content?: ContentItem[], asBot?: boolean }} OutgoingMessage */

export const api = {
  /** @param {string} name The agent of that name if there is one. */
  signIn: async (name) => /** @type {Agent} */ (await call("POST", "/desk/api/agents", { name })),

  /** @param {string} agentId */
  signOut: (agentId) => call("DELETE", agent(agentId), {}),

  /** @param {string} agentId @param {boolean} onQueue */
  setOnQueue: (agentId, onQueue) => call("PATCH", agent(agentId), { onQueue }),

  /** @param {string} agentId @param {string | null} avatar */
  setAvatar: (agentId, avatar) => call("PATCH", agent(agentId), { avatar }),

  /** @param {string} conversationId @param {string} agentId @param {string} to "bot", "queue" or a colleague's id. */
  transfer: (conversationId, agentId, to) => call("POST", of(conversationId, "transfer"), { agentId, to }),

  /** @param {string} conversationId @param {{ agentId: string, count: number, asBot: boolean }} order */
  push: (conversationId, order) => call("POST", of(conversationId, "push"), order),

  /** @param {string} deploymentId @param {Record<string, unknown>} changes */
  changeDeployment: async (deploymentId, changes) =>
    /** @type {Deployment} */ (await call("PATCH", `/desk/api/deployments/${encodeURIComponent(deploymentId)}`, changes)),

  /** @param {string} conversationId @param {ConversationCommand} command @param {string} agentId */
  command: async (conversationId, command, agentId) =>
    /** @type {Conversation} */ (await call("POST", of(conversationId, command), { agentId })),

  /**
   * @param {string} conversationId
   * @param {OutgoingMessage} message
   */
  send: async (conversationId, message) =>
    /** @type {Entry} */ (await call("POST", of(conversationId, "messages"), message)),

  templates: async () => /** @type {Template[]} */ (await call("GET", "/desk/api/templates")),

  /** @param {string} name @param {{ on: boolean } & Record<string, ParamValue>} setting */
  setFault: (name, setting) => call("PUT", fault(name), setting),

  /** @param {string} name */
  fireFault: (name) => call("POST", fault(name), {}),

  clearFaults: () => call("DELETE", "/emulator/faults", {}),

  reset: () => call("POST", "/emulator/reset", {}),
};
