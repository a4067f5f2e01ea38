import type { FailedStep, SettledCall } from "@millrace/core";
import { GONE } from "../step-failures.ts";

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
    if (this.#failures.length > 0)
      this.#noting ??= this.#note().finally(() => (this.#noting = undefined));
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
  async #note(): Promise<void> {
    const { isOpen, turn, record } = this.#options;
    await this.#keeping;
    await turn();
    if (!isOpen()) throw GONE;
    // Whoever asks for a step meanwhile waits for these too.
    for (const { entry, replaced, isKept } of this.#failures) await record(entry, replaced, isKept);
    this.#failures = [];
  }

  async #keep(): Promise<void> {
    const { attempts, record } = this.#options;
    const kept: CaughtFailure[] = [];
    for (const failure of this.#failures) {
      const { entry, replaced } = failure;
      if (failure.isKept === true) kept.push(failure);
      else {
        const { revision } = await record({ ...entry, attempts }, replaced);
        kept.push({ entry, replaced: revision, isKept: true });
      }
    }
    this.#failures = kept;
  }
}
