import {
  CLOCK_SLACK_MS,
  type Envelope,
  firstMessageOf,
  type JournalEntry,
  MAX_WAITING_SIGNALS,
  MillraceError,
  type QueueMessage,
  readSignal,
  recordError,
  type Schema,
  type SignalledStep,
  type StepRef,
  type StoredSignal,
  type WaitEntry,
  type WaitingStep,
} from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import type { Known, RunJournal } from "./run-journal.ts";
import { isIdShared } from "./shared-id.ts";
import { markOf } from "./taken-signals.ts";
import { valueOf } from "./step-value.ts";

/** Of one name. */
const MOST_PASSED = MAX_WAITING_SIGNALS / 2;

export interface SignalWaitsOptions {
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  readonly journal: Pick<RunJournal, "asRead" | "taken">;
  /** Asks the broker until it answers. */
  readonly insist: <T>(action: () => Promise<T>) => Promise<T>;
  readonly record: (entry: WaitEntry, replaced: number | undefined) => Promise<Known>;
}

/** One `step.waitFor`. */
export interface Wait {
  readonly step: StepRef;
  /** Where it is asked for the first time; then the record says it. Infinity: none. */
  readonly untilMs: number;
  readonly schema: Schema<unknown, unknown> | undefined;
  /** Told before what the schema throws is thrown on. */
  readonly unjudged: () => void;
}

type WaitKnown = Known & { readonly entry: WaitEntry };

/**
 * The signals that the steps of one attempt wait for. Each is taken by one step, and of those that
 * wait for one name at the same time the one that was asked for first is served first: so two
 * holders of a job, of which one doesn't know yet that it has lost it, give a signal to the same
 * step.
 */
export class SignalWaits {
  readonly #options: SignalWaitsOptions;
  /** By name: which steps have no answer yet, by their numbers. */
  readonly #open = new Map<string, Set<number>>();
  /** By name: the look that is under way, after which the next begins. */
  readonly #looks = new Map<string, Promise<unknown>>();
  /** Steps that have looked in this run, by which what is passed over was judged. */
  readonly #judged = new Set<string>();

  constructor(options: SignalWaitsOptions) {
    this.#options = options;
  }

  /** In the turn of the call: the order of calls decides who is served first. */
  begin({ name, n }: StepRef): void {
    const open = this.#open.get(name) ?? new Set<number>();
    this.#open.set(name, open.add(n));
  }

  /**
   * Looks for a signal, and records what has become of the wait.
   *
   * @returns what is on record then
   * @throws whatever the schema throws. The signal stays this step's, which is open still: no
   *   other of its name may take it before the next attempt has asked the schema anew
   */
  async look(wait: Wait, known: Known | undefined): Promise<WaitKnown> {
    const { name } = wait.step;
    const before = this.#looks.get(name);
    const look = (async () => {
      await before?.catch(() => {});
      return this.#look(wait, known as WaitKnown | undefined);
    })();
    this.#looks.set(name, look);
    const found = await look;
    if (found.entry.state !== "waiting") this.#open.get(name)?.delete(wait.step.n);
    return found;
  }

  async #look(wait: Wait, known: WaitKnown | undefined): Promise<WaitKnown> {
    for (let there = known; ;) {
      const entry = there?.entry;
      if (there !== undefined && entry?.state !== "waiting") return there;
      const next = await this.#next(wait, entry?.state === "waiting" ? entry : undefined);
      if (next === undefined) return there as WaitKnown;
      there = (await this.#options.record(next, there?.revision)) as WaitKnown;
      if (there.entry.state === "signalled")
        this.#drop(there.entry.name, Number.parseInt(there.entry.mark, 10));
      if (next.state === "waiting") return there;
    }
  }

  /** @returns undefined where what is on record stands */
  async #next(wait: Wait, known: WaitingStep | undefined): Promise<WaitEntry | undefined> {
    const { host, envelope, journal } = this.#options;
    const { step, untilMs } = wait;
    const own = { ...step, at: host.clock.now(), life: envelope.life ?? 0, kind: "wait" } as const;
    const isFirst = Math.min(...(this.#open.get(step.name) ?? [])) === step.n;
    const passed: StoredSignal[] = [];
    // Another run may have a handler whose schema takes what an earlier one refused.
    const judged = this.#judged.has(keyOf(step)) ? known?.passed : undefined;
    for (const signal of isFirst ? await this.#stored(step.name) : []) {
      const isTaken = journal.taken.has(step.name, signal);
      // Repeated by its sender after it was taken: it would take the room of others.
      if (isTaken) this.#drop(step.name, signal.sequence);
      const wasPassed = isTaken || judged?.includes(markOf(signal)) === true;
      const value =
        wasPassed || this.#isOlder(signal) ? undefined : await this.#valueOf(wait, signal);
      if (value !== undefined) return { ...own, state: "signalled", ...value };
      passed.push(signal);
    }
    if (isFirst) this.#judged.add(keyOf(step));
    this.#makeRoom(step.name, passed);
    const deadline = known === undefined ? untilMs : (known.until ?? Infinity);
    if (deadline <= host.clock.now()) return { ...own, state: "timed-out" };
    const marks = passed.map(markOf);
    if (known !== undefined && marks.every((mark) => known.passed.includes(mark))) return undefined;
    return {
      ...own,
      state: "waiting",
      passed: marks,
      ...(deadline === Infinity ? {} : { until: deadline }),
    };
  }

  #stored(name: string): Promise<readonly StoredSignal[]> {
    const { host, envelope, insist } = this.#options;
    const { queue, id } = envelope;
    return insist(() => host.broker.signals.read({ queue, id, name }));
  }

  /** It was sent to an earlier job of this id, which may wait for it still. */
  #isOlder({ storedAt }: StoredSignal): boolean {
    const { envelope, message } = this.#options;
    const { firstStoredAt = Infinity } = firstMessageOf(envelope, message);
    return storedAt < Math.min(firstStoredAt, envelope.createdAt) - CLOCK_SLACK_MS;
  }

  /**
   * @returns undefined where the step can't take it: it is not what is waited for
   * @throws whatever the schema throws, which says nothing of the signal
   */
  async #valueOf(
    { step, schema, unjudged }: Wait,
    signal: StoredSignal,
  ): Promise<Pick<SignalledStep, "value" | "mark" | "signalId"> | undefined> {
    const { signalId } = signal;
    let whole: JournalEntry;
    let taken: Pick<SignalledStep, "value" | "mark" | "signalId">;
    try {
      const value = readSignal(signal);
      taken = {
        ...{ value, mark: markOf(signal) },
        ...(signalId === undefined ? {} : { signalId }),
      };
      const { host, envelope, journal } = this.#options;
      const own = { ...step, at: host.clock.now(), life: envelope.life ?? 0 };
      // One that could not be recorded would end the job.
      whole = journal.asRead({ ...own, kind: "wait", state: "signalled", ...taken });
    } catch (error) {
      return this.#passOver(step, signal, error);
    }
    try {
      await valueOf(whole, schema);
    } catch (error) {
      if (MillraceError.is(error, "invalid-output")) return this.#passOver(step, signal, error);
      unjudged();
      throw error;
    }
    return taken;
  }

  #passOver({ name }: StepRef, { signalId }: StoredSignal, error: unknown): undefined {
    const { host, envelope } = this.#options;
    const { id: job, queue } = envelope;
    host.log.warn(
      { job, queue, signal: name, signalId, error: recordError(error) },
      "a signal is passed over: it is not what the job waits for",
    );
  }

  /**
   * Signals that are refused would keep out the one that is not. A later step of their name may
   * take one yet, and so may another job of the id, whose they are.
   */
  #makeRoom(name: string, passed: readonly StoredSignal[]): void {
    if (passed.length <= MOST_PASSED) return;
    const { host, envelope } = this.#options;
    const drop = async (): Promise<void> => {
      if (await isIdShared(host.broker, envelope, host.clock)) return;
      for (const { sequence } of passed.slice(0, -MOST_PASSED)) this.#drop(name, sequence);
    };
    // They are met again at the next look.
    drop().catch(() => {});
  }

  /** It does no harm where it lies; so nobody waits for that. */
  #drop(name: string, sequence: number): void {
    const { host, envelope } = this.#options;
    const { queue, id } = envelope;
    host.broker.signals.drop({ queue, id, name }, sequence).catch(() => {});
  }
}

function keyOf({ name, n }: StepRef): string {
  return `${n} ${name}`;
}
