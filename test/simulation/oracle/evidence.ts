import type { HistoryRecord } from "@millrace/core";
import type { Entry } from "../world/ledger.ts";

export type Began = Extract<Entry, { is: "began" }>;
export type FinalRecord = HistoryRecord & {
  readonly state: Exclude<HistoryRecord["state"], "requeued">;
};

/** One run of a handler, with what was seen of its end. */
export interface RunSeen {
  readonly began: Began;
  endedMs: number | undefined;
  how: Extract<Entry, { is: "ended" }>["how"] | undefined;
  abortedMs: number | undefined;
  /** When its process was killed, or stood still. */
  goneMs: number | undefined;
}

/** All that is known of one job of a queue, in the order in which it happened. */
export interface JobSeen {
  readonly key: string;
  readonly job: string;
  readonly queue: string;
  planned: string | undefined;
  confirmed: boolean;
  refused: string | undefined;
  readonly runs: RunSeen[];
  /** Its final records, each settlement once. */
  readonly finals: FinalRecord[];
  readonly letters: string[];
  readonly told: { readonly state: string; readonly output: unknown }[];
}

export interface Evidence {
  readonly jobs: ReadonlyMap<string, JobSeen>;
  readonly batches: ReadonlyMap<string, readonly string[]>;
  readonly queueOf: ReadonlyMap<string, string>;
}

/** Sorts a ledger by jobs. Ids are of a queue, so two queues' jobs of one id are two. */
export function evidenceOf(entries: readonly Entry[]): Evidence {
  const jobs = new Map<string, JobSeen>();
  const batches = new Map<string, readonly string[]>();
  const queueOf = new Map<string, string>();
  const runs = new Map<number, RunSeen>();
  const of = (job: string, queue = queueOf.get(job) ?? "?"): JobSeen => {
    const key = `${queue}/${job}`;
    const seen = jobs.get(key) ?? emptyJob(key, job, queue);
    jobs.set(key, seen);
    return seen;
  };
  for (const entry of entries) {
    switch (entry.is) {
      case "planned":
        queueOf.set(entry.job, entry.queue);
        of(entry.job).planned = entry.kind;
        break;
      case "confirmed":
        of(entry.job).confirmed = true;
        break;
      case "refused":
        of(entry.job).refused = entry.code;
        break;
      case "told":
        of(entry.job).told.push(entry);
        break;
      case "batch-made":
        batches.set(entry.batch, entry.members);
        queueOf.set(`${entry.batch}:callback`, "narrow");
        break;
      case "began": {
        const run = {
          began: entry,
          endedMs: undefined,
          how: undefined,
          abortedMs: undefined,
          goneMs: undefined,
        };
        runs.set(entry.run, run);
        of(entry.job, entry.queue).runs.push(run);
        break;
      }
      case "ended": {
        const run = runs.get(entry.run);
        if (run?.how === undefined && run !== undefined)
          [run.endedMs, run.how] = [entry.atMs, entry.how];
        break;
      }
      case "aborted": {
        const run = runs.get(entry.run);
        if (run !== undefined) run.abortedMs ??= entry.atMs;
        break;
      }
      case "gone":
        for (const run of runs.values())
          if (run.began.process === entry.process && run.endedMs === undefined)
            run.goneMs ??= entry.atMs;
        break;
      case "recorded":
        noteFinal(of(entry.record.id, entry.record.queue), entry.record);
        break;
      case "buried":
        of(entry.letter.id, entry.letter.queue).letters.push(entry.letter.reason);
        break;
      case "withdrawn": {
        const { letters } = of(entry.letter.id, entry.letter.queue);
        letters.splice(letters.lastIndexOf(entry.letter.reason), 1);
        break;
      }
      case "effect":
      case "cancelled":
      case "fault":
      case "thawed":
      case "healed":
      case "left":
    }
  }
  return { jobs, batches, queueOf };
}

function emptyJob(key: string, job: string, queue: string): JobSeen {
  return {
    ...{ key, job, queue, planned: undefined, confirmed: false, refused: undefined },
    ...{ runs: [], finals: [], letters: [], told: [] },
  };
}

/** A settlement that was repeated up to its ack wrote its record twice: the very same. */
function noteFinal(seen: JobSeen, record: HistoryRecord): void {
  if (!isFinal(record)) return;
  const text = JSON.stringify(record);
  if (!seen.finals.some((known) => JSON.stringify(known) === text)) seen.finals.push(record);
}

function isFinal(record: HistoryRecord): record is FinalRecord {
  return record.state !== "requeued";
}
