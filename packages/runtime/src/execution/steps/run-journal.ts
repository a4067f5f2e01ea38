import {
  type CallEntry,
  type ChildEnd,
  type Envelope,
  type FailedStep,
  type JournalEntry,
  type JournalStore,
  type Lease,
  MAX_JOURNAL_BYTES,
  MAX_STEPS,
  MillraceError,
  readEntry,
  type RunRef,
  type StepRef,
  writeEntry,
} from "@millrace/core";
import { leaveUnasked } from "./left-unasked.ts";
import { placeOf, type Rank, shownStep } from "./step-place.ts";
import { TakenSignals } from "./taken-signals.ts";

/** What is on record of a step, and which writing of it that is. */
export interface Known {
  readonly entry: JournalEntry;
  readonly revision: number;
}

export interface RunJournalOptions {
  readonly broker: { readonly journal: Pick<JournalStore, "maxBytes" | "read" | "write"> };
  readonly run: RunRef;
  /** Of the delivery that runs it. Undefined: it is only read. */
  readonly lease: Lease | undefined;
  readonly life: number;
  /** How many of this life are spent. */
  readonly attempts: number;
  /** Of the handler's steps. */
  readonly version: number;
}

/** What is on record of one run, as far as this attempt knows it. */
export class RunJournal {
  readonly #options: RunJournalOptions;
  /** By the places that nobody has asked for yet. */
  readonly #known = new Map<string, Known>();
  /** By places, of all that is on record. */
  readonly #revisions = new Map<string, number>();
  /** What each takes, by places. */
  readonly #sizes = new Map<string, number>();
  /** How jobs that it has called have ended, by their ids. */
  readonly #ends = new Map<string, ChildEnd>();
  /** Also by steps that nobody has asked for yet. */
  readonly taken = new TakenSignals();
  #wasEmpty = false;
  #version: number;
  #bytes = 0;
  #steps = 0;
  #isRead = false;

  constructor(options: RunJournalOptions) {
    this.#options = options;
    this.#version = options.version;
  }

  /** What all that is on record takes, as far as was read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many steps were asked for. */
  get asked(): number {
    return this.#steps;
  }

  get isRead(): boolean {
    return this.#isRead;
  }

  /** With which the run began, once it was read; this handler's for one that begins here. */
  get version(): number {
    return this.#version;
  }

  /** Nothing was on record when it was read. */
  get wasEmpty(): boolean {
    return this.#wasEmpty;
  }

  /** @throws what the broker says; then it can be read again */
  async read(): Promise<void> {
    const { broker, run } = this.#options;
    const stored = await broker.journal.read(run, { once: true });
    if (this.#isRead) return;
    this.#isRead = true;
    this.#wasEmpty = stored.length === 0;
    for (const { data, revision } of stored) {
      const entry = readEntry(data);
      if (entry === undefined)
        throw new MillraceError(
          "journal-mismatch",
          `A record of a step of the job ${run.id} can't be read: another version wrote it, or something else writes there.`,
        );
      this.#count(entry, data);
      if (entry.kind === "child") {
        this.#ends.set(entry.name, entry);
        continue;
      }
      this.#version = entry.version ?? 1;
      this.taken.note(entry);
      this.#known.set(placeOf(entry), { entry, revision });
      this.#revisions.set(placeOf(entry), revision);
    }
  }

  /** How a called job has ended, as far as was read. */
  endOf(id: string): ChildEnd | undefined {
    return this.#ends.get(id);
  }

  /** Reads once more which called jobs have ended. */
  async readEnds(): Promise<void> {
    const { broker, run } = this.#options;
    for (const { data } of await broker.journal.read(run)) {
      const entry = readEntry(data);
      if (entry?.kind !== "child") continue;
      this.#count(entry, data);
      this.#ends.set(entry.name, entry);
    }
  }

  /**
   * What is on record of a step; it is asked for then. A failure that an earlier life of the job
   * left is not what this one is to have.
   *
   * @throws MillraceError `journal-mismatch`, `too-many-steps`
   */
  ask(step: StepRef, kind: JournalEntry["kind"]): Known | undefined {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS)
      throw new MillraceError(
        "too-many-steps",
        `The job has asked for more than ${MAX_STEPS} steps. Do several things in one step, or give a part of them to another job.`,
      );
    const known = this.#known.get(placeOf(step));
    if (known === undefined) return undefined;
    requireKind(known.entry, step, kind);
    this.#known.delete(placeOf(step));
    return known;
  }

  /** Whether a failure is what its step is to have now. */
  isOfNow(entry: FailedStep | CallEntry): boolean {
    const { life, attempts } = this.#options;
    const spent = "attempts" in entry ? entry.attempts : undefined;
    return entry.life === life && (spent ?? attempts) === attempts;
  }

  /** Whether an entry is what the step is to have now. */
  stands(entry: JournalEntry): boolean {
    return entry.kind !== "run" || entry.outcome !== "failed" || this.isOfNow(entry);
  }

  /** When the handler is told of it. */
  rankOf({ entry, revision }: Known): Rank {
    const told = "told" in entry ? entry.told : undefined;
    const after = told?.after === undefined ? 0 : this.#revisions.get(placeOf(told.after));
    if (told === undefined || after === undefined) return { revision, nth: 0 };
    return { revision: after, nth: told.nth };
  }

  /**
   * @param replaced the revision of what doesn't stand any more: a failure, a wait
   * @returns what is on record now: the entry, or one that somebody else wrote before it
   * @throws MillraceError `unserializable-payload`, `step-too-large`, `journal-mismatch`, and what
   *   the broker says
   */
  async record(entry: JournalEntry, replaced: number | undefined): Promise<Known> {
    const { broker, run, lease } = this.#options;
    const data = this.#written(entry);
    const grown = data.length - (this.#sizes.get(placeOf(entry)) ?? 0);
    // Called jobs that end at one moment may have filled more. That they have ended fits all the
    // same: it takes less than that they were called.
    if (grown > 0 && this.#bytes + grown > MAX_JOURNAL_BYTES)
      throw new MillraceError(
        "step-too-large",
        `With the result of the step ${shownStep(entry)} the job's steps take more than ${MAX_JOURNAL_BYTES} bytes. Store the data elsewhere and return references to it.`,
      );
    const options = {
      ...(lease === undefined ? {} : { lease }),
      ...(replaced === undefined ? {} : { expected: replaced }),
    };
    const stored = await broker.journal.write(run, entry, data, options);
    this.#count(entry, stored.data);
    const there = readEntry(stored.data);
    if (there === undefined)
      throw new MillraceError(
        "journal-mismatch",
        `The record of the step ${shownStep(entry)} can't be read: something else writes there.`,
      );
    requireKind(there, entry, entry.kind);
    this.taken.note(there);
    this.#revisions.set(placeOf(there), stored.revision);
    return { entry: there, revision: stored.revision };
  }

  /**
   * The entry as it will be read: its value may change its form on the way.
   *
   * @throws MillraceError `unserializable-payload`, `step-too-large`
   */
  asRead(entry: JournalEntry): JournalEntry {
    return readEntry(this.#written(entry)) ?? entry;
  }

  /** What is replaced takes nothing any more. */
  #count(step: StepRef, { length }: Uint8Array): void {
    const place = placeOf(step);
    this.#bytes += length - (this.#sizes.get(place) ?? 0);
    this.#sizes.set(place, length);
  }

  #written(entry: JournalEntry): Uint8Array {
    const version = this.#version;
    const own = version === 1 ? entry : { ...entry, version };
    return writeEntry(own, this.#options.broker.journal.maxBytes);
  }

  /** What this life of the job has on record, and nobody has asked for yet. */
  get notAsked(): readonly JournalEntry[] {
    const { life } = this.#options;
    return [...this.#known.values()].map(({ entry }) => entry).filter((one) => one.life === life);
  }

  /** The attempt goes to sleep: nobody asks any more for what any life has left on record. */
  leave(envelope: Envelope): void {
    leaveUnasked(envelope, new Set(this.#known.keys()));
  }

  /**
   * What is on record must have been asked for when the handler ends. An earlier life of the job
   * may have gone another way: a failure that it went on after is tried anew in this one.
   *
   * @throws MillraceError `journal-mismatch`
   */
  requireAllAsked(): void {
    const unasked = this.notAsked;
    if (unasked.length === 0) return;
    const shown = unasked.slice(0, 5).map(shownStep);
    const more = unasked.length > 5 ? ` and ${unasked.length - 5} more` : "";
    throw new MillraceError(
      "journal-mismatch",
      `The handler has ended without asking for what is on record: ${shown.join(", ")}${more}. Deploy the code that asks for it, then retry the dead letter; steps must follow from the input and from other steps alone.`,
    );
  }
}

const CALLS = { run: "run", sleep: "sleep", wait: "waitFor", call: "call", child: "call" } as const;

function requireKind(entry: JournalEntry, step: StepRef, kind: JournalEntry["kind"]): void {
  if (entry.kind === kind) return;
  throw new MillraceError(
    "journal-mismatch",
    `The step ${shownStep(step)} is on record as step.${CALLS[entry.kind]}, and the handler asks for step.${CALLS[kind]}. Give a step that became another one another name.`,
  );
}
