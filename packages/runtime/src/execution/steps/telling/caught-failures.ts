import type { FailedStep, SettledCall } from "@millrace/core";
import { GONE } from "../step-failures.ts";
import { placeOf } from "../step-place.ts";

/** A failure that the handler may have caught: on record once it goes on to another step. */
export interface CaughtFailure {
  readonly entry: FailedStep | SettledCall;
  /** The revision of what is on record in its place. */
  readonly replaced: number | undefined;
  /** It is on record already, for this attempt alone. */
  readonly isKept?: true;
}

/** Of one that is on record for this attempt alone: it stands once the handler goes on after it. */
export function keptOf(
  { attempts: _spent, ...entry }: FailedStep | SettledCall,
  revision: number,
): CaughtFailure {
  return { entry, replaced: revision, isKept: true };
}

export interface CaughtFailuresOptions {
  /** How many attempts are spent. */
  readonly attempts: number;
  /** Whether the attempt takes steps yet. */
  readonly isOpen: () => boolean;
  /** Resolves a turn later. */
  readonly turn: () => Promise<void>;
  readonly record: (
    entry: FailedStep | SettledCall,
    replaced: number | undefined,
    isKept?: boolean,
  ) => Promise<{ readonly revision: number }>;
}

/** Failures of steps that are not on record yet: the handler that throws one on ends with it. */
export class CaughtFailures {
  readonly #options: CaughtFailuresOptions;
  #failures: readonly CaughtFailure[] = [];
  #noting: Promise<void> | undefined;
  /** Of which steps it writes down the failures. */
  #noted: ReadonlySet<string> = new Set();
  #keeping: Promise<void> | undefined;

  constructor(options: CaughtFailuresOptions) {
    this.#options = options;
  }

  /** In the order in which the handler was told. */
  add(failure: CaughtFailure): void {
    this.#failures = [...this.#failures, failure];
  }

  /**
   * The handler has gone on after them: then they stand.
   *
   * @returns resolves when they are on record; undefined where there are none
   * @throws GONE where the attempt has ended meanwhile; what `record` throws
   */
  noted(): Promise<void> | undefined {
    const places = new Set(this.#failures.map(({ entry }) => placeOf(entry)));
    // Those that came while others are written down are not among them.
    const isUnderWay =
      this.#noting !== undefined && [...places].every((one) => this.#noted.has(one));
    if (places.size > 0 && !isUnderWay) {
      const noting = this.#note(places, this.#noting).finally(() => {
        if (this.#noting === noting) this.#noting = undefined;
      });
      this.#noting = noting;
      this.#noted = places;
    }
    return this.#noting;
  }

  /**
   * The attempt ends without a word of the handler, which may yet throw them on: they are on record
   * for as long as no other attempt is spent.
   *
   * @returns resolves when they are; undefined where there are none
   * @throws what `record` throws
   */
  kept(): Promise<void> | undefined {
    if (this.#failures.some(({ isKept }) => isKept !== true))
      this.#keeping ??= this.#keep().finally(() => (this.#keeping = undefined));
    return this.#keeping;
  }

  /**
   * A turn later, because the handler that throws a failure on may have another step begun in the
   * same turn.
   */
  async #note(places: ReadonlySet<string>, before: Promise<void> | undefined): Promise<void> {
    const { isOpen, turn, record } = this.#options;
    await before;
    await this.#keeping;
    await turn();
    if (!isOpen()) throw GONE;
    // One by one: others come while one is written, and stand only where the handler goes on.
    for (;;) {
      const next = this.#failures.find(({ entry }) => places.has(placeOf(entry)));
      if (next === undefined) return;
      await record(next.entry, next.replaced, next.isKept);
      this.#failures = this.#failures.filter((one) => one !== next);
    }
  }

  async #keep(): Promise<void> {
    const { attempts, record } = this.#options;
    for (const failure of this.#failures) {
      if (failure.isKept === true) continue;
      const { entry, replaced } = failure;
      const { revision } = await record({ ...entry, attempts }, replaced);
      const kept = keptOf(entry, revision);
      this.#failures = this.#failures.map((one) => (one === failure ? kept : one));
    }
  }
}
