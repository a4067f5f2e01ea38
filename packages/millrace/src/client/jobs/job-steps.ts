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
  /** `step.run`, `step.sleep`, `step.waitFor` or `step.call`. */
  readonly kind: "run" | "sleep" | "wait" | "call";
  /**
   * `sleeping`: until a time that is yet to come. `waiting`: for a signal of its name. `calling`:
   * for the end of its `child`. `unanswered`: neither has come in time.
   */
  readonly state: "done" | "failed" | "sleeping" | "waiting" | "calling" | "unanswered";
  /** Of a `step.call`: the job that it has called. */
  readonly child?: JobRef;
  /** When it was recorded, epoch milliseconds. */
  readonly at: number;
  /** What a step or the job that it has called has returned, or a signal's value. */
  readonly result?: unknown;
  /** Of a failed one. */
  readonly error?: RecordedError;
  /** Of a sleep, or of a wait or a call that has a deadline: epoch milliseconds. */
  readonly until?: number;
}

/** What is on record of a run, in the order of recording. */
export async function stepsOf(
  broker: Pick<Broker, "journal">,
  run: RunRef,
  now: number,
): Promise<readonly JobStep[]> {
  const stored = await broker.journal.read(run);
  const entries = stored
    .toSorted((a, b) => a.revision - b.revision)
    .map(({ data }) => readEntry(data))
    .filter((entry) => entry !== undefined);
  const ends = new Map(
    entries.filter((entry) => entry.kind === "child").map((end) => [end.name, end]),
  );
  return entries.filter((entry) => entry.kind !== "child").map((entry) => stepOf(entry, ends, now));
}

type Ends = ReadonlyMap<string, ChildEnd>;

function stepOf(entry: Exclude<JournalEntry, ChildEnd>, ends: Ends, now: number): JobStep {
  const { name, n, kind, at } = entry;
  const own = { name, n, kind, at };
  if (entry.kind === "sleep") {
    const { until, ended } = entry;
    return { ...own, state: until > now && ended !== true ? "sleeping" : "done", until };
  }
  if (entry.kind === "wait") return { ...own, ...waitOf(entry) };
  if (entry.kind === "call") return { ...own, ...callOf(entry, ends) };
  if (entry.outcome === "failed") return { ...own, state: "failed", error: entry.error };
  return { ...own, state: "done", ...resultOf(entry) };
}

type Became = Pick<JobStep, "state" | "result" | "error" | "until" | "child">;

function waitOf(entry: WaitEntry): Became {
  switch (entry.state) {
    case "waiting":
      return { state: "waiting", ...untilOf(entry) };
    case "signalled":
      return { state: "done", result: entry.value };
    case "timed-out":
      return { state: "unanswered" };
  }
}

function callOf(entry: CallEntry, ends: Ends): Became {
  const { child } = entry;
  const end = ends.get(child.id);
  if (entry.state === "timed-out") return { state: "unanswered", child };
  const error = entry.state === "ended" ? (entry.error ?? end?.error) : end?.error;
  if (error !== undefined) return { state: "failed", child, error };
  // Told already, where the job itself has not looked yet.
  if (entry.state === "calling" && end === undefined)
    return { state: "calling", child, ...untilOf(entry) };
  return { state: "done", child, ...resultOf(end) };
}

function resultOf(entry: { readonly value?: unknown } | undefined): Pick<JobStep, "result"> {
  return entry?.value === undefined ? {} : { result: entry.value };
}

function untilOf({ until }: WaitingStep | CallingStep): Pick<JobStep, "until"> {
  return until === undefined ? {} : { until };
}
