import type { JournalEntry } from "@millrace/core";
import { GONE } from "./step-failures.ts";

/** A failure that the handler may have caught: on record once it goes on to another step. */
export interface CaughtFailure {
  readonly entry: JournalEntry;
  /** The revision of an earlier life's failure. */
  readonly replaced: number | undefined;
}

export interface CaughtFailuresOptions {
  /** Whether the attempt takes steps yet. */
  readonly isOpen: () => boolean;
  /** Resolves a turn later. */
  readonly turn: () => Promise<void>;
  readonly record: (entry: JournalEntry, replaced: number | undefined) => Promise<unknown>;
}

/** Failures of steps that are not on record yet: the handler that throws one on ends with it. */
export class CaughtFailures {
  readonly #options: CaughtFailuresOptions;
  #failures: CaughtFailure[] = [];
  #noting: Promise<void> | undefined;

  constructor(options: CaughtFailuresOptions) {
    this.#options = options;
  }

  add(failure: CaughtFailure): void {
    this.#failures.push(failure);
  }

  /**
   * The handler has gone on after them: then they stand.
   *
   * @returns resolves when they are on record; undefined where there are none
   * @throws GONE where the attempt has ended meanwhile; what `record` throws
   */
  noted(): Promise<void> | undefined {
    if (this.#failures.length > 0) this.#noting ??= this.#note();
    return this.#noting;
  }

  /**
   * A turn later, because the handler that throws a failure on may have another step begun in the
   * same turn.
   */
  async #note(): Promise<void> {
    const { isOpen, turn, record } = this.#options;
    await turn();
    if (!isOpen()) throw GONE;
    const failures = this.#failures;
    this.#failures = [];
    this.#noting = undefined;
    for (const { entry, replaced } of failures) await record(entry, replaced);
  }
}
