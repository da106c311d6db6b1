/**
 * Times and spans in the reader's language, by Intl.
 */

/** @typedef {ReturnType<typeof createFormat>} Format */

/**
 * @param {string} locale
 * @param {string} [timeZone] The reader's own when absent.
 */
export function createFormat(locale, timeZone) {
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone });
  const exact = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium", timeZone });
  const date = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", timeZone });
  const key = new Intl.DateTimeFormat("en-CA", { dateStyle: "short", timeZone });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const plain = new Intl.NumberFormat(locale, { useGrouping: false });
  const padded = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2 });

  /** @type {Map<number, string>} A day by its quarter hour: Intl takes its time, and a transcript asks for every row. */
  const days = new Map();
  /** @param {number} at */
  function dayOf(at) {
    // No time zone's day begins but on a quarter of an hour.
    const quarter = Math.floor(at / 900_000);
    const day = days.get(quarter) ?? key.format(at);
    days.set(quarter, day);
    return day;
  }

  return {
    dayOf,
    /** @param {number} at */
    time: (at) => clock.format(at),
    /** @param {number} at */
    exact: (at) => exact.format(at),
    /** @param {number} at @param {number} now */
    day: (at, now) => {
      if (dayOf(at) === dayOf(now)) return capital(relative.format(0, "day"), locale);
      if (dayOf(at) === dayOf(now - 86_400_000)) return capital(relative.format(-1, "day"), locale);
      return date.format(at);
    },
    /** @param {number} ms A span, as minutes and seconds ("4:07") or hours, minutes and seconds. */
    span: (ms) => {
      const seconds = Math.max(0, Math.floor(ms / 1000));
      const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
      return h > 0
        ? `${plain.format(h)}:${padded.format(m)}:${padded.format(s)}`
        : `${plain.format(m)}:${padded.format(s)}`;
    },
    /** @param {number} size In bytes, as kilobytes of 1,000: as the platform counts them. */
    bytes: (size) => {
      const [unit, value] = size < 1000 ? ["byte", size] : size < 1_000_000 ? ["kilobyte", size / 1000] : ["megabyte", size / 1_000_000];
      return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 && unit !== "byte" ? 1 : 0 }).format(value);
    },
    /** @param {number} value */
    number: (value) => plain.format(value),
  };
}

/** @param {string} text @param {string} locale */
function capital(text, locale) {
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
}
