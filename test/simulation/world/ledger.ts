import type { DeadLetter, HistoryRecord } from "@millrace/core";

/** What happened in a world, as seen from outside of every process and every stream. */
export type Fact =
  | {
      readonly is: "planned";
      readonly job: string;
      readonly kind: string;
      readonly queue: string;
      /** Of a chain: how many jobs are to follow the first. */
      readonly links?: number;
    }
  /** A message of this id: a producer's job has its own. */
  | { readonly is: "stored"; readonly job: string }
  /** Its producer got an error, and enqueues it once more. */
  | { readonly is: "sent-again"; readonly job: string }
  | { readonly is: "confirmed"; readonly job: string; readonly duplicate: boolean }
  /** A producer was told that its job takes the place of another, which had not started. */
  | { readonly is: "replaced"; readonly job: string; readonly by: string }
  | { readonly is: "refused"; readonly job: string; readonly code: string }
  | {
      readonly is: "began";
      readonly run: number;
      readonly job: string;
      readonly queue: string;
      readonly process: string;
      readonly attempt: number;
      readonly token: number;
      /** Times it was brought back from the dead letters. */
      readonly life: number;
      /** By the clock of whoever made it, epoch milliseconds of the world. */
      readonly createdAt?: number;
      readonly key: string | undefined;
      readonly input: unknown;
    }
  | { readonly is: "effect"; readonly run: number; readonly job: string; readonly token: number }
  /** A step's function began in this run. */
  | StepFact<"step-ran">
  /** The handler was given a step's result: the number of the run in which it was had. */
  | (StepFact<"step-given"> & { readonly ran: unknown })
  /** A handler is about to wait for a signal, the first being 0. */
  | { readonly is: "waits"; readonly job: string; readonly n: number }
  /** A signal is known to be stored. */
  | {
      readonly is: "signalled";
      readonly job: string;
      readonly queue: string;
      readonly value: number;
    }
  /** A handler was given a signal, or nothing in time. */
  | {
      readonly is: "signal-taken";
      readonly run: number;
      readonly job: string;
      readonly queue: string;
      readonly n: number;
      readonly value: unknown;
    }
  /** A handler that was to sleep has slept already. */
  | { readonly is: "resumed"; readonly run: number }
  | { readonly is: "aborted"; readonly run: number; readonly cause: string }
  | { readonly is: "ended"; readonly run: number; readonly job: string; readonly how: RunEnd }
  | { readonly is: "recorded"; readonly record: HistoryRecord }
  | {
      readonly is: "buried" | "withdrawn";
      readonly letter: Pick<DeadLetter, "id" | "queue" | "reason"> & {
        readonly life: number;
        readonly createdAt?: number | undefined;
        /** Of a job that follows another: the mark of that one's end. */
        readonly mark?: number | undefined;
      };
    }
  /** A suspect is about to be started on its turn; who dies from here on takes the blame. */
  | { readonly is: "quarantined"; readonly job: string; readonly process: string }
  | { readonly is: "told"; readonly job: string; readonly state: string; readonly output: unknown }
  | { readonly is: "batch-made"; readonly batch: string; readonly members: readonly string[] }
  /** By somebody: to cancel a job, to purge a queue, to retry the letters of a queue. */
  | { readonly is: "asked"; readonly what: "cancel" | "purge" | "retry"; readonly of: string }
  | { readonly is: "cancelled"; readonly job: string; readonly state: string }
  | { readonly is: "retried"; readonly job: string; readonly queue: string }
  | { readonly is: "purged"; readonly queue: string }
  | {
      readonly is: "limited";
      readonly queue: string;
      readonly concurrency: number | undefined;
      readonly rate: { readonly limit: number; readonly perMs: number } | undefined;
      /** Jobs that its producers may have wait for later. */
      readonly maxParked?: number | undefined;
    }
  | ScheduleEnded
  | { readonly is: "fault"; readonly name: string; readonly kind: string; readonly process: string }
  | { readonly is: "gone"; readonly process: string; readonly how: "killed" | "frozen" | "stopped" }
  | { readonly is: "thawed"; readonly process: string }
  /** A killed server has forgotten that it had handed the job out, and does so again. */
  | { readonly is: "forgotten"; readonly job: string; readonly queue: string }
  /** From then until now it said no heartbeat, and was in reach for moments at the most. */
  | { readonly is: "silent"; readonly process: string; readonly sinceMs: number }
  | { readonly is: "healed" }
  | { readonly is: "left"; readonly what: string; readonly detail: string };

interface StepFact<Is extends string> {
  readonly is: Is;
  readonly run: number;
  readonly job: string;
  readonly queue: string;
  readonly createdAt: number;
  readonly step: string;
}

/** A schedule was paused; what its state says then. Times: milliseconds of the world. */
export interface ScheduleEnded {
  readonly is: "schedule-ended";
  readonly schedule: string;
  readonly fired: number;
  readonly skipped: number;
  readonly sinceMs: number;
  readonly pausedMs: number;
  readonly lastMs: number;
  /** A tick that was about to be enqueued. */
  readonly intentMs: number | undefined;
}

export type RunEnd = "succeeded" | "failed" | "fatal" | "snoozed" | "aborted";
export type Entry = Fact & { readonly atMs: number };

/** One line an entry; the same for the same seed, byte for byte. */
export class Ledger {
  readonly entries: Entry[] = [];
  readonly #now: () => number;
  readonly #listeners = new Set<(fact: Fact) => void>();
  #runs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(fact: Fact): void {
    this.entries.push({ atMs: Math.round(this.#now() * 1_000) / 1_000, ...fact });
    for (const hear of this.#listeners) hear(fact);
  }

  /** Resolves once something like this is noted. */
  next(isMeant: (fact: Fact) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const hear = (fact: Fact): void => {
        if (!isMeant(fact)) return;
        this.#listeners.delete(hear);
        resolve();
      };
      this.#listeners.add(hear);
    });
  }

  nextRun(): number {
    return (this.#runs += 1);
  }

  get text(): string {
    return this.entries.map((entry) => JSON.stringify(entry)).join("\n");
  }
}
