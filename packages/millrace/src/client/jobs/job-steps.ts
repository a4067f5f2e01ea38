import {
  type Broker,
  type JournalEntry,
  readEntry,
  type RecordedError,
  type RunRef,
  type WaitEntry,
  type WaitingStep,
} from "@millrace/core";

/** A step that is on record, of a job with steps that has not ended or is dead. */
export interface JobStep {
  readonly name: string;
  /** Which of the steps of this name, from 0. */
  readonly n: number;
  /**
   * `sleeping`: until a time that is yet to come. `waiting`: for a signal of its name;
   * `unanswered`: none has come in time.
   */
  readonly state: "done" | "failed" | "sleeping" | "waiting" | "unanswered";
  /** When it was recorded, epoch milliseconds. */
  readonly at: number;
  /** What a step has returned, or a signal's value. */
  readonly result?: unknown;
  /** Of a failed one. */
  readonly error?: RecordedError;
  /** Of a sleep, or of a wait that has a deadline: epoch milliseconds. */
  readonly until?: number;
}

/** What is on record of a run, in the order of recording. */
export async function stepsOf(
  broker: Pick<Broker, "journal">,
  run: RunRef,
  now: number,
): Promise<readonly JobStep[]> {
  const stored = await broker.journal.read(run);
  return stored
    .toSorted((a, b) => a.revision - b.revision)
    .map(({ data }) => readEntry(data))
    .filter((entry) => entry !== undefined)
    .map((entry) => stepOf(entry, now));
}

function stepOf(entry: JournalEntry, now: number): JobStep {
  const { name, n, at } = entry;
  if (entry.kind === "sleep") {
    const { until } = entry;
    return { name, n, state: until > now ? "sleeping" : "done", at, until };
  }
  if (entry.kind === "wait") return waitOf(entry);
  if (entry.outcome === "failed") return { name, n, state: "failed", at, error: entry.error };
  const result = entry.value === undefined ? {} : { result: entry.value };
  return { name, n, state: "done", at, ...result };
}

function waitOf(entry: WaitEntry): JobStep {
  const { name, n, at } = entry;
  switch (entry.state) {
    case "waiting":
      return { name, n, state: "waiting", at, ...untilOf(entry) };
    case "signalled":
      return { name, n, state: "done", at, result: entry.value };
    case "timed-out":
      return { name, n, state: "unanswered", at };
  }
}

function untilOf({ until }: WaitingStep): Pick<JobStep, "until"> {
  return until === undefined ? {} : { until };
}
