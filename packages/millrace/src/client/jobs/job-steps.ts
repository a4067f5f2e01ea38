import {
  type Broker,
  type CallEntry,
  type CallingStep,
  type ChildEnd,
  type JobRef,
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
  /** Of a `step.call`: the job that it has called. */
  readonly child?: JobRef;
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
    .filter((entry) => entry.kind !== "child")
    .map((entry) => stepOf(entry, now));
}

function stepOf(entry: Exclude<JournalEntry, ChildEnd>, now: number): JobStep {
  const { name, n, at } = entry;
  if (entry.kind === "sleep") {
    const { until } = entry;
    return { name, n, state: until > now ? "sleeping" : "done", at, until };
  }
  if (entry.kind === "wait") return waitOf(entry);
  if (entry.kind === "call") return callOf(entry);
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

function callOf(entry: CallEntry): JobStep {
  const { name, n, at, child } = entry;
  switch (entry.state) {
    case "calling":
      return { name, n, state: "waiting", at, child, ...untilOf(entry) };
    case "ended":
      return { name, n, state: "done", at, child };
    case "timed-out":
      return { name, n, state: "unanswered", at, child };
  }
}

function untilOf({ until }: WaitingStep | CallingStep): Pick<JobStep, "until"> {
  return until === undefined ? {} : { until };
}
