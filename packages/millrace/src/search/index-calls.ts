import type { ErrorFingerprint, FailureGroup } from "@millrace/core";
import type { KnownValues } from "../filter/complete-filter.ts";
import type { AskedFailures } from "./failures-query.ts";
import type { IndexedJob } from "./indexed-job.ts";

/** Which enqueue of an id is meant: the later one counts. */
interface Enqueue {
  readonly id: string;
  readonly queue: string;
  readonly createdAt: number;
  readonly life: number;
}

/** What a job carries, masked. */
export interface Cargo {
  readonly payload?: unknown;
  readonly tags?: readonly string[];
}

/** Something that was learnt of a job. */
export type News =
  /** A record of the history. */
  | ({
      readonly kind: "record";
      readonly position: number;
      readonly job: IndexedJob;
      /** Of an attempt that was run. */
      readonly ended?: EndedHow;
      /** How long it waited for that; absent in records of older versions. */
      readonly waitedMs?: number;
      /** Of which cause it failed. */
      readonly cause?: ErrorFingerprint;
    } & Enqueue)
  /** It lies in its queue. */
  | ({
      readonly kind: "arrival";
      readonly position: number;
      readonly job: IndexedJob;
    } & Enqueue)
  /** It was published: perhaps it is stored, perhaps it was there already. */
  | ({ readonly kind: "heard"; readonly at: number; readonly cargo: Cargo } & Enqueue)
  /** It waits elsewhere, or is dead, and this is what it carries. */
  | ({ readonly kind: "cargo"; readonly cargo: Cargo; readonly job?: IndexedJob } & Enqueue);

/** How far the streams were read. */
export interface Cursors {
  /** The history's last record that was read, and when it was stored. */
  readonly position: number;
  readonly positionAt: number;
  /** The last dead letter. */
  readonly letters: number;
  /** Each queue's last arrival. */
  readonly queues: Readonly<Record<string, number>>;
}

export const NOTHING_READ: Cursors = { position: 0, positionAt: 0, letters: 0, queues: {} };

/** The same ones where none of these queues is among them. */
export function withoutQueues(cursors: Cursors, gone: readonly string[]): Cursors {
  const kept = Object.entries(cursors.queues).filter(([queue]) => !gone.includes(queue));
  if (kept.length === Object.keys(cursors.queues).length) return cursors;
  return { ...cursors, queues: Object.fromEntries(kept) };
}

export interface IndexSearch {
  readonly filter?: string;
  readonly state?: string;
  readonly queue?: string;
  readonly limit: number;
  readonly now: number;
}

export type EndedHow = "succeeded" | "failed" | "dead";

/** Which attempts are counted, and in which steps. */
export interface RatesQuery {
  /** Epoch milliseconds. */
  readonly since: number;
  /** Whole minutes. */
  readonly stepMs: number;
  readonly queue?: string;
}

/** How the attempts of some time ended. */
export interface EndedRate {
  /** When that time began, epoch milliseconds. */
  readonly at: number;
  readonly succeeded: number;
  /** And are tried again. */
  readonly failed: number;
  readonly dead: number;
  /** How long attempts took, milliseconds, to a tenth: half of them at most, and 95 of 100. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** How long they waited for their start, likewise; absent where no record tells. */
  readonly waited?: { readonly p50Ms: number; readonly p95Ms: number };
}

export interface IndexSize {
  readonly jobs: number;
  readonly bytes: number;
  readonly oldestAt?: number;
}

/** What an index is asked, and what it answers. */
export interface IndexCalls {
  /** Another process may keep it: then it is read as far as that one is. */
  open(given: { readonly identity: string; readonly maxBytes: number }): {
    readonly cursors: Cursors;
    readonly isKept: boolean;
  };
  /** Not in a new thread, in a damaged file, or where another process keeps it by now. */
  isOpen(given: object): boolean;
  /** @returns whether it is larger now than it may be */
  write(given: { readonly news: readonly News[]; readonly cursors: Cursors }): boolean;
  /** What lay in a queue, has no record, and lies there no more: its queue was removed. */
  dropGone(given: {
    readonly queue: string;
    readonly oldest: number;
    readonly newest: number;
  }): void;
  search(given: IndexSearch): { readonly jobs: readonly IndexedJob[]; readonly more: boolean };
  known(given: object): KnownValues;
  size(given: object): IndexSize;
  rates(given: RatesQuery): readonly EndedRate[];
  failures(given: AskedFailures): readonly FailureGroup[];
  prune(given: { readonly before: number; readonly heardBefore: number }): void;
  clear(given: object): void;
  close(given: object): void;
}

export type IndexCallName = keyof IndexCalls;

/** Where an index is kept: what it is asked, and what it answers. */
export interface AskedIndex {
  /** @throws MillraceError `index-failed`; FilterError */
  ask<Name extends IndexCallName>(
    name: Name,
    given: Parameters<IndexCalls[Name]>[0],
  ): Promise<ReturnType<IndexCalls[Name]>>;
  /** Called before the end, where what is under way may take long. */
  breakOff?(): void;
  /** Closes it. */
  end(): Promise<void>;
}

export interface IndexCall {
  readonly name: IndexCallName;
  readonly given: object;
}

export type IndexAnswer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly message: string;
      /** Of a filter that can't be read. */
      readonly filter?: { readonly position: number; readonly text: string };
    };
