/**
 * Words from a catalogue, with plurals, times and days by Intl.
 */

/** @typedef {Record<string, string | Partial<Record<Intl.LDMLPluralRule, string>>>} Catalogue */

const DAY_MS = 86_400_000;

/** Characters that nobody sees, and that turn the direction of what follows them. */
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const LEFT_TO_RIGHT = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hangul}\p{Script=Thai}]/u;
const RIGHT_TO_LEFT_LANGUAGES = /^(?:ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/u;

export class Words {
  #catalogue;
  #plurals;
  #numbers;
  #times;
  #dates;
  #relative;
  #full;
  /** Letters that run against the language's direction. */
  #foreign;
  #slots;
  #days;

  /**
   * @param {string} language A BCP 47 tag; one that Intl doesn't know means English.
   * @param {Catalogue} catalogue
   */
  constructor(language, catalogue) {
    const lang = isLanguage(language) ? language : "en";
    this.lang = lang;
    this.#catalogue = catalogue;
    this.#plurals = new Intl.PluralRules(lang);
    this.#numbers = new Intl.NumberFormat(lang);
    this.#times = new Intl.DateTimeFormat(lang, { hour: "numeric", minute: "2-digit" });
    this.#dates = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long" });
    this.#full = new Intl.DateTimeFormat(lang, { dateStyle: "full", timeStyle: "short" });
    this.#slots = new Intl.DateTimeFormat(lang, { weekday: "long", day: "numeric", month: "long", hour: "numeric", minute: "2-digit" });
    this.#days = new Intl.DateTimeFormat(lang, { dateStyle: "long", timeZone: "UTC" });
    this.#foreign = RIGHT_TO_LEFT_LANGUAGES.test(lang) ? LEFT_TO_RIGHT : RIGHT_TO_LEFT;
    this.#relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  }

  /**
   * Say `key`, with its `{name}`s filled in; numbers are written as the language does, `n` chooses the plural. A value
   * of the other direction is isolated, so that it can't reorder the sentence around it; `say.…` is only heard.
   *
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   * @returns {string} The key itself when the catalogue lacks it.
   */
  say(key, values = {}) {
    const entry = this.#catalogue[key] ?? key;
    const rule = this.#plurals.select(Number(values.n ?? 0));
    const text = typeof entry === "string" ? entry : (entry[rule] ?? entry.other ?? key);
    return text.replace(/\{(\w+)\}/gu, (_, name) => {
      const value = values[name] ?? "";
      if (typeof value === "number") return this.#numbers.format(value);
      return name === "code" || key.startsWith("say.") ? value : this.#isolated(value);
    });
  }

  /** @param {string} value */
  #isolated(value) {
    const plain = withoutTurns(value);
    return plain !== value || this.#foreign.test(plain) ? `\u2068${plain}\u2069` : plain;
  }

  /** @param {string} key */
  has(key) {
    return Object.hasOwn(this.#catalogue, key);
  }

  /** @param {number} ms @returns {string} Hour and minute. */
  time(ms) {
    return this.#times.format(ms);
  }

  /** @param {number} ms @returns {string} Everything, for a tooltip. */
  fullTime(ms) {
    return this.#full.format(ms);
  }

  /** @param {number} ms @returns {string} Day and time, without the year. */
  slot(ms) {
    return this.#slots.format(ms);
  }

  /** @param {string} iso yyyy-mm-dd @returns {string} That day, wherever the reader is. */
  date(iso) {
    return this.#days.format(Date.parse(`${iso}T00:00Z`));
  }

  /** @param {number} bytes */
  size(bytes) {
    const [unit, by] = bytes < 1000 ? ["byte", 1] : bytes < 1e6 ? ["kilobyte", 1000] : ["megabyte", 1e6];
    const unitDisplay = by === 1 ? "long" : "short";
    const style = /** @type {const} */ ({ style: "unit", unit, unitDisplay, maximumFractionDigits: by === 1e6 ? 1 : 0 });
    return new Intl.NumberFormat(this.lang, style).format(bytes / Number(by));
  }

  /**
   * @param {number} ms
   * @param {number} now
   * @returns {string} "Today", "Yesterday", or the date.
   */
  day(ms, now) {
    const days = Math.round((startOfDay(ms) - startOfDay(now)) / DAY_MS);
    const text = days === 0 || days === -1 ? this.#relative.format(days, "day") : this.#dates.format(ms);
    return text.charAt(0).toLocaleUpperCase(this.lang) + text.slice(1);
  }
}

/**
 * @param {string} text
 * @returns {string} `text` in the order in which it is written.
 */
export function withoutTurns(text) {
  return text.replaceAll(TURNS, "");
}

/**
 * @param {number} ms
 * @returns {number} The beginning of that day where the reader is.
 */
export function startOfDay(ms) {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** @param {string} tag */
function isLanguage(tag) {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false;
  }
}
