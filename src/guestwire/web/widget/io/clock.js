/** Time and chance, behind one small interface, so that tests can bring their own. */

/**
 * @typedef {object} Clock
 * @property {() => number} now Monotonic seconds.
 * @property {() => number} today Epoch milliseconds.
 * @property {(callback: () => void, delayMs: number) => number} setTimer
 * @property {(timer: number | undefined) => void} clearTimer
 */

/** Beyond 31 bits a browser's timer fires at once; who is woken early asks again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @type {Clock} */
export const CLOCK = {
  now: () => performance.now() / 1000,
  today: () => Date.now(),
  setTimer: (callback, delayMs) => window.setTimeout(callback, Math.min(delayMs, LONGEST_TIMER_MS)),
  clearTimer: (timer) => window.clearTimeout(timer),
};

const FIRST_S = 0.5;
const LONGEST_S = 30;

/**
 * Exponential back-off with full jitter (guest-session §4.3 rule 5).
 *
 * @param {number} attempt 0, 1, 2 …
 * @param {() => number} [random]
 * @returns {number} Seconds, from nothing up to 0.5 s doubled each time, at most 30.
 */
export function backOffS(attempt, random = Math.random) {
  return random() * Math.min(LONGEST_S, FIRST_S * 2 ** attempt);
}
