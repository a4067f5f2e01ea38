import type { HistoryRecord } from "@millrace/core";
import type { Entry } from "../world/ledger.ts";
import { Turns } from "./turns.ts";

export type Began = Extract<Entry, { is: "began" }>;
export type FinalRecord = HistoryRecord & {
  readonly state: Exclude<HistoryRecord["state"], "requeued">;
};

export type StepSeen = Extract<Entry, { is: "step-ran" | "step-given" }> & {
  /** When its run began. */
  readonly beganMs: number;
};

export type SignalTaken = Extract<Entry, { is: "signal-taken" }>;

/** One run of a handler, with what was seen of its end. */
export interface RunSeen {
  /** Of which job, by name: others may have had its id. */
  readonly of: string;
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
  /** When its producer began to enqueue it, and when it was told that it is there. */
  plannedMs: number | undefined;
  confirmedMs: number | undefined;
  /** When it was enqueued once more, after an error. */
  readonly sentAgainMs: number[];
  /** Of a chain's first job, how many are to follow it. */
  links: number;
  confirmed: boolean;
  refused: string | undefined;
  readonly runs: RunSeen[];
  /** Its final records of all lives, each settlement once. */
  readonly finals: FinalRecord[];
  readonly letters: { readonly reason: string; readonly life: number }[];
  /** Lives that an operator is known to have given it. */
  readonly revived: Set<number>;
  /** The processes that were about to start it as a suspect, and when. */
  readonly quarantines: { readonly process: string; readonly atMs: number }[];
  readonly told: { readonly state: string; readonly output: unknown }[];
}

export interface Evidence {
  readonly jobs: ReadonlyMap<string, JobSeen>;
  readonly batches: ReadonlyMap<string, readonly string[]>;
  readonly queueOf: ReadonlyMap<string, string>;
  /** When processes died, by name. */
  readonly deaths: ReadonlyMap<string, number>;
  /** When the server was killed. */
  readonly crashes: readonly number[];
  /** Jobs that a killed server handed out once more, because it had forgotten the first time. */
  readonly forgotten: readonly Extract<Entry, { is: "forgotten" }>[];
  readonly asked: readonly Extract<Entry, { is: "asked" }>[];
  /** When a message of an id was stored first. */
  readonly storedMs: ReadonlyMap<string, number>;
  readonly replaced: readonly Extract<Entry, { is: "replaced" }>[];
  readonly limited: readonly Extract<Entry, { is: "limited" }>[];
  readonly schedules: readonly Extract<Entry, { is: "schedule-ended" }>[];
  readonly steps: readonly StepSeen[];
  readonly signalled: readonly Extract<Entry, { is: "signalled" }>[];
  readonly taken: readonly SignalTaken[];
  readonly silences: readonly Silence[];
  /** Of each frozen process, from its freeze to its thaw. */
  readonly freezes: readonly Silence[];
  /** When the last fault was over. */
  readonly healedMs: number;
}

/** For so long a process was frozen, or cut off but for moments in which it said no heartbeat. */
export interface Silence {
  readonly process: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** What belongs to one life of a job. */
export interface LifeSeen {
  readonly life: number;
  readonly runs: readonly RunSeen[];
  readonly finals: readonly FinalRecord[];
  readonly letters: readonly string[];
  /** Whether somebody knows that it was to begin. */
  readonly confirmed: boolean;
  /**
   * An operator has retried its letter. Who wrote that may have died before its record, and then
   * nobody makes up for it: the job has gone on.
   */
  readonly wentOn: boolean;
}

/**
 * A job's lives: the first, and one more for each time that it was brought back from the dead
 * letters.
 */
export function livesOf(seen: JobSeen): readonly LifeSeen[] {
  const { runs, finals, letters, revived } = seen;
  const lives = new Set([
    ...[0, ...revived],
    ...runs.map(({ began }) => began.life),
    ...finals.map(({ life = 0 }) => life),
    ...letters.map(({ life }) => life),
  ]);
  return [...lives]
    .toSorted((a, b) => a - b)
    .map((life) => ({
      life,
      runs: runs.filter(({ began }) => began.life === life),
      finals: finals.filter((record) => (record.life ?? 0) === life),
      letters: letters.filter((letter) => letter.life === life).map(({ reason }) => reason),
      confirmed: life === 0 ? seen.confirmed : revived.has(life),
      wentOn: revived.has(life + 1),
    }));
}

/** The first recorded end of each life. */
export function endsOf(seen: JobSeen): readonly FinalRecord[] {
  return livesOf(seen).flatMap(({ finals }) => finals[0] ?? []);
}

/** Sorts a ledger by jobs. Ids are of a queue, so two queues' jobs of one id are two. */
export function evidenceOf(entries: readonly Entry[]): Evidence {
  const jobs = new Map<string, JobSeen>();
  const batches = new Map<string, readonly string[]>();
  const queueOf = new Map<string, string>();
  const runs = new Map<number, RunSeen>();
  const deaths = new Map<string, number>();
  const crashes: number[] = [];
  const forgotten: Extract<Entry, { is: "forgotten" }>[] = [];
  const asked: Extract<Entry, { is: "asked" }>[] = [];
  const storedMs = new Map<string, number>();
  const replaced: Extract<Entry, { is: "replaced" }>[] = [];
  const limited: Extract<Entry, { is: "limited" }>[] = [];
  const schedules: Extract<Entry, { is: "schedule-ended" }>[] = [];
  /** Whose letter was removed last, and of which life, by queue and id. */
  const removed = new Map<string, { readonly life: number; readonly key: string }>();
  const steps: StepSeen[] = [];
  const signalled: Extract<Entry, { is: "signalled" }>[] = [];
  const taken: SignalTaken[] = [];
  const silences: Silence[] = [];
  const freezes: Silence[] = [];
  const frozenMs = new Map<string, number>();
  let healedMs = 0;
  const turns = new Turns();
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
        of(entry.job).plannedMs = entry.atMs;
        of(entry.job).links = entry.links ?? 0;
        turns.planned(entry.job, entry.atMs);
        break;
      case "stored":
        if (!storedMs.has(entry.job)) storedMs.set(entry.job, entry.atMs);
        break;
      case "sent-again":
        of(entry.job).sentAgainMs.push(entry.atMs);
        break;
      case "confirmed":
        of(entry.job).confirmed = true;
        of(entry.job).confirmedMs ??= entry.atMs;
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
        const after = givenBy(entry.input, runs);
        const seen = of(turns.of(entry.job, entry.createdAt, { after }), entry.queue);
        const run = {
          of: seen.key,
          began: entry,
          endedMs: undefined,
          how: undefined,
          abortedMs: undefined,
          // What was about to begin as it froze is noted after that.
          goneMs: frozenMs.get(entry.process),
        };
        runs.set(entry.run, run);
        seen.runs.push(run);
        // Whoever asked for it may not have heard that it was done.
        if (entry.life > 0) seen.revived.add(entry.life);
        break;
      }
      case "ended": {
        const run = runs.get(entry.run);
        if (run?.how === undefined && run !== undefined)
          [run.endedMs, run.how] = [entry.atMs, entry.how];
        break;
      }
      case "resumed": {
        const run = runs.get(entry.run);
        if (run !== undefined) [run.endedMs, run.how] = [undefined, undefined];
        break;
      }
      case "step-ran":
      case "step-given":
        steps.push({ ...entry, beganMs: runs.get(entry.run)?.began.atMs ?? 0 });
        break;
      case "signalled":
        signalled.push(entry);
        break;
      case "signal-taken":
        taken.push(entry);
        break;
      case "silent":
        silences.push({ ...entry, untilMs: entry.atMs });
        break;
      case "thawed": {
        const { process, atMs } = entry;
        freezes.push({ process, sinceMs: frozenMs.get(process) ?? atMs, untilMs: atMs });
        frozenMs.delete(process);
        break;
      }
      case "healed":
        healedMs = entry.atMs;
        break;
      case "aborted": {
        const run = runs.get(entry.run);
        if (run !== undefined) run.abortedMs ??= entry.atMs;
        break;
      }
      case "gone":
        if (entry.how === "frozen") frozenMs.set(entry.process, entry.atMs);
        else deaths.set(entry.process, entry.atMs);
        for (const run of runs.values())
          if (run.began.process === entry.process && run.endedMs === undefined)
            run.goneMs ??= entry.atMs;
        break;
      case "recorded": {
        const { id, queue, createdAt, state, unkeyed: mark } = entry.record;
        const seen = of(turns.of(id, createdAt, { mark }), queue);
        noteFinal(seen, entry.record);
        if (state === "succeeded") turns.succeeded(seen.job, entry.record);
        break;
      }
      case "quarantined": {
        const [queue, job = ""] = entry.job.split("/");
        for (const name of turns.all(job)) of(name, queue).quarantines.push(entry);
        break;
      }
      case "buried": {
        const { id, queue, createdAt, mark } = entry.letter;
        of(turns.of(id, createdAt, { mark }), queue).letters.push(entry.letter);
        break;
      }
      case "withdrawn": {
        const { id, queue, reason, life, createdAt, mark } = entry.letter;
        const { letters, key } = of(turns.of(id, createdAt, { mark }), queue);
        const at = letters.findLastIndex((known) => known.reason === reason && known.life === life);
        if (at >= 0) letters.splice(at, 1);
        removed.set(`${queue}/${id}`, { life, key });
        break;
      }
      case "retried": {
        const last = removed.get(`${entry.queue}/${entry.job}`);
        if (last !== undefined) jobs.get(last.key)?.revived.add(last.life + 1);
        break;
      }
      case "asked":
        asked.push(entry);
        break;
      case "replaced":
        replaced.push(entry);
        break;
      case "limited":
        limited.push(entry);
        break;
      case "schedule-ended":
        schedules.push(entry);
        break;
      case "fault":
        if (entry.kind.startsWith("crash")) crashes.push(entry.atMs);
        break;
      case "forgotten":
        forgotten.push(entry);
        break;
      case "effect":
      case "cancelled":
      case "purged":
      case "waits":
      case "left":
    }
  }
  return {
    ...{ jobs, batches, queueOf, deaths, crashes, asked, limited, schedules, steps },
    ...{ signalled, taken, healedMs, silences, freezes, forgotten, replaced, storedMs },
  };
}

/** The job whose result a run was given, by name. */
function givenBy(input: unknown, runs: ReadonlyMap<number, RunSeen>): string | undefined {
  const { run } = (input ?? {}) as { readonly run?: unknown };
  const key = typeof run === "number" ? runs.get(run)?.of : undefined;
  return key?.slice(key.indexOf("/") + 1);
}

function emptyJob(key: string, job: string, queue: string): JobSeen {
  return {
    ...{ key, job, queue, planned: undefined, confirmed: false, refused: undefined, links: 0 },
    ...{ plannedMs: undefined, confirmedMs: undefined, sentAgainMs: [] },
    ...{ runs: [], finals: [], letters: [], revived: new Set(), quarantines: [], told: [] },
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
