/**
 * Builders of desk values for the tests.
 *
 * @import { Change, Conversation, Entry, Input, Snapshot, State } from "../../../src/guestwire/web/desk/core/types.js"
 */

import { initialState, reduce } from "../../../src/guestwire/web/desk/core/reduce.js";

export const NOW = Date.UTC(2026, 4, 4, 12);
export const ADA = { id: "a1", name: "Ada", onQueue: true, isDemo: false, active: 0 };
export const GRACE = { id: "a2", name: "Grace", onQueue: true, isDemo: false, active: 0 };

let serial = 0;

/** @param {Partial<Entry>} [values] @returns {Entry} */
export function entry(values = {}) {
  serial += 1;
  return { id: `e${serial}`, from: "guest", text: `text ${serial}`, at: NOW + serial, ...values };
}

/** @param {Partial<Conversation> & { id: string }} values @returns {Conversation} */
export function conversation(values) {
  return {
    sessionId: `s-${values.id}`,
    status: "waiting",
    stage: "queue",
    guest: { name: `Guest ${values.id}` },
    startedAt: NOW,
    connections: 1,
    entries: [],
    ...values,
  };
}

/** @param {Partial<Snapshot>} [values] @returns {Snapshot} */
export function snapshot(values = {}) {
  return {
    type: "snapshot",
    agents: [ADA, GRACE],
    conversations: [],
    faults: [],
    flow: { published: true },
    queue: { name: "Support" },
    ...values,
  };
}

/** Ada's seat at a desk with these conversations. @param {Conversation[]} conversations @returns {State} */
export function seated(...conversations) {
  return after(
    initialState(),
    { type: "change", change: snapshot({ conversations }), now: NOW },
    { type: "signed-in", agent: ADA },
    { type: "link", status: "open" },
  );
}

/** @param {State} state @param {...Input} inputs */
export function after(state, ...inputs) {
  return inputs.reduce(reduce, state);
}

/** @param {State} state @param {...Change} changes */
export function changed(state, ...changes) {
  return after(state, ...changes.map((change) => /** @type {Input} */ ({ type: "change", change, now: NOW })));
}
