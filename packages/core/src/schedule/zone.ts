import { shownValue } from "../options/option-values.ts";
import { MillraceError } from "../errors/millrace-error.ts";

const DAY_MS = 86_400_000;
/** How far ahead is searched at least, so that a search serves for weeks. */
const SEARCHED_MS = 80 * DAY_MS;
const FORM = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;
const zones = new Map<string, Zone>();

/** What the clocks of a place show, by the IANA data that Node carries. */
export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  /**
   * The latest search for a change, kept: asking the platform for each day anew was most of the
   * work of a tick.
   */
  #searched: {
    readonly from: number;
    readonly until: number;
    readonly change: number | undefined;
  } = { from: 0, until: 0, change: undefined };

  private constructor(name: string, format: Intl.DateTimeFormat) {
    this.name = name;
    this.#format = format;
  }

  /**
   * @param field names the option in the error
   * @throws MillraceError `invalid-schedule`
   */
  static of(name: string, field = "timezone"): Zone {
    let zone = zones.get(name);
    if (zone === undefined) {
      zone = new Zone(name, formatOf(name, field));
      zones.set(name, zone);
    }
    return zone;
  }

  /** How far the place's clocks are ahead of UTC at this instant, milliseconds. */
  offsetAt(ms: number): number {
    if (this.name === "UTC") return 0;
    const shown: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(ms))
      if (type !== "literal") shown[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
    const wholeSecond = Math.floor(ms / 1_000) * 1_000;
    return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSecond;
  }

  /**
   * The first instant after `from`, up to `until`, at which the clocks are moved. Two moves within
   * a day are not told apart.
   */
  nextChange(from: number, until: number): number | undefined {
    if (this.name === "UTC") return undefined;
    const known = this.#searched;
    if (from < known.from || from >= (known.change ?? known.until) || until > known.until) {
      const far = Math.max(until, from + SEARCHED_MS);
      this.#searched = { from, until: far, change: this.#search(from, far) };
    }
    const { change } = this.#searched;
    return change !== undefined && change <= until ? change : undefined;
  }

  #search(from: number, until: number): number | undefined {
    const offset = this.offsetAt(from);
    for (let low = from; low < until;) {
      const high = Math.min(low + DAY_MS, until);
      if (this.offsetAt(high) !== offset) return this.#changeBetween(low, high, offset);
      low = high;
    }
    return undefined;
  }

  /** @param offset of `low`, which `high` no longer has */
  #changeBetween(low: number, high: number, offset: number): number {
    let before = low;
    let after = high;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.offsetAt(middle) === offset) before = middle;
      else after = middle;
    }
    return after;
  }
}

function formatOf(name: string, field: string): Intl.DateTimeFormat {
  try {
    // Some versions of Node take offsets such as "+02:00" too; those know nothing of daylight
    // saving.
    if (typeof name !== "string" || !FORM.test(name)) throw new RangeError(name);
    return new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (cause) {
    throw new MillraceError(
      "invalid-schedule",
      `${field}: ${shownValue(name)} is no IANA time zone. Give a name such as "Europe/Berlin" or "UTC".`,
      { cause },
    );
  }
}
