import { createRequire } from "node:module";
import type * as CronParser from "cron-parser";
import { MillraceError } from "../errors/millrace-error.ts";

/**
 * Loaded at first use: the parser and its date library would be a large part of a command's start,
 * and most have no schedule.
 */
const load = createRequire(requireFrom(import.meta.url));

/** A bundle in CommonJS has no place of its own; it finds packages from where the program lies. */
function requireFrom(moduleUrl: string | undefined): string {
  return moduleUrl ?? `${process.cwd()}/`;
}

const HOURS_A_DAY = 24;
const NICKNAME = /^@[a-z]+$/;
/** Of a text that may have any length, in an error. */
const LONGEST_SHOWN = 100;

/**
 * A cron expression as a sequence of readings of a wall clock. A reading is written as if the clock
 * showed UTC, in epoch milliseconds; which instants it stands for in a zone is for `ticks.ts` to
 * say.
 */
export class CronExpression {
  readonly #parsed: CronParser.CronExpression;
  /** It names every hour, so an hour that a zone leaves out costs it nothing. */
  readonly everyHour: boolean;
  /**
   * The hours are `*` or `*` with a step: it means an interval, and runs in each of two equal
   * hours.
   */
  readonly isInterval: boolean;

  /**
   * @param field names the option in the error
   * @throws MillraceError `invalid-schedule`
   */
  constructor(text: string, field = "cron") {
    requireFields(text, field);
    try {
      const { CronExpressionParser } = load("cron-parser") as typeof CronParser;
      this.#parsed = CronExpressionParser.parse(text, { tz: "UTC", currentDate: 0 });
    } catch (cause) {
      throw wrong(
        field,
        `${shown(text)} is no cron expression: ${(cause as Error).message.slice(0, LONGEST_SHOWN)}`,
        cause,
      );
    }
    const hours = new Set(this.#parsed.fields.hour.values);
    const written = text.trim().split(/\s+/).at(-4);
    this.everyHour = hours.size === HOURS_A_DAY;
    this.isInterval = this.everyHour || written?.startsWith("*") === true;
  }

  /**
   * The first reading at or after this one, or undefined where none comes for thousands of years.
   */
  firstFrom(wallMs: number): number | undefined {
    this.#parsed.reset(new Date(Math.ceil(wallMs / 1_000) * 1_000 - 1_000));
    return this.next();
  }

  /** The reading after the last one that was given. */
  next(): number | undefined {
    try {
      return this.#parsed.next().getTime();
    } catch {
      // It looks a limited way ahead and then says that it found nothing.
      return undefined;
    }
  }
}

function requireFields(text: string, field: string): void {
  if (typeof text !== "string") throw wrong(field, `must be a text; got ${typeof text}`);
  const fields = text.trim().split(/\s+/);
  // The parser fills up what is missing, and `*` would then mean something else than its writer
  // thought.
  if (!NICKNAME.test(text) && fields.length !== 5 && fields.length !== 6)
    throw wrong(
      field,
      `${shown(text)} has ${fields.length} fields. Give 5 (minute hour day month weekday) or 6 (second first)`,
    );
  // It stands for a number drawn at random by each process. One name has the letter.
  if (text.replaceAll("THU", "").includes("H"))
    throw wrong(field, `${shown(text)} has an H. Give a number, and spread load by jitter`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, LONGEST_SHOWN));
}

function wrong(field: string, what: string, cause?: unknown): MillraceError {
  return new MillraceError("invalid-schedule", `${field}: ${what.replace(/\.$/, "")}.`, { cause });
}
