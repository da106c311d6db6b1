/** A token bucket that is told the time; the same as `guestwire.model.token_bucket`. */

/** Rounding: who comes back exactly when told must get one, or a clock that only jumps to deadlines stands still. */
const SLACK = 1e-3;

export class TokenBucket {
  #rate;
  #burst;
  #level;
  /** @type {number | undefined} */
  #seenAt;

  /**
   * Starts full.
   *
   * @param {{ rate: number, burst: number }} options `burst` at once, `rate` a second in the long run.
   */
  constructor({ rate, burst }) {
    this.#rate = rate;
    this.#burst = burst;
    this.#level = burst;
  }

  /**
   * Take one token.
   *
   * @param {number} now Monotonic seconds.
   * @returns {number} 0 when it was taken, else the seconds until one will be there; nothing was taken then.
   */
  take(now) {
    if (this.#seenAt !== undefined) {
      this.#level = Math.min(this.#burst, this.#level + (now - this.#seenAt) * this.#rate);
    }
    this.#seenAt = now;
    if (this.#level < 1 - SLACK) return (1 - this.#level) / this.#rate;
    this.#level -= 1;
    return 0;
  }
}
