import {
  type Envelope,
  type EnqueueResult,
  inPlaces,
  isKeyed,
  MillraceError,
} from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { lookUpStream } from "../publish/stream-lookup.ts";
import type { Names } from "../topology/subjects.ts";
import { Believed } from "../machine/believed.ts";
import { machineOf } from "../machine/machine.ts";
import type { IdRecords } from "./id-records.ts";

/** The look and the publish together. */
const TIMEOUT_MS = 30_000;

/** Sends jobs; those whose ids are keys on subjects of their own. */
type Send = (
  jobs: readonly Envelope[],
  keys: ReadonlySet<string>,
  signal: AbortSignal,
) => Promise<readonly EnqueueResult[]>;

export interface KeyedCall {
  readonly keys: ReadonlySet<string>;
  readonly signal: AbortSignal | undefined;
  /** All of the jobs or none; they lie on the subject that all share. */
  readonly together: boolean;
}

/** An id as good as every other: a queue takes all keys or none. */
const ANY = "any";
const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * Enqueues jobs of which some have ids that are keys: what is on record is not sent. What is sent
 * meanwhile is told apart by the queue, which remembers ids for longer than this takes.
 */
export class KeyedEnqueue {
  readonly #nc: NatsConnection;
  readonly #names: Names;
  readonly #records: Pick<IdRecords, "since">;
  /** Queues of a version that knew no such subjects, or whose producers may not use them. */
  readonly #without: Believed;

  constructor(nc: NatsConnection, names: Names, records: Pick<IdRecords, "since">) {
    this.#nc = nc;
    this.#names = names;
    this.#records = records;
    this.#without = new Believed(nc);
  }

  async enqueue(
    jobs: readonly Envelope[],
    call: KeyedCall,
    send: Send,
  ): Promise<readonly EnqueueResult[]> {
    const { clock } = machineOf(this.#nc);
    const limit = new AbortController();
    const timer = clock.setTimer(TIMEOUT_MS, () => limit.abort());
    const stop = (): void => limit.abort(call.signal?.reason);
    if (call.signal?.aborted === true) stop();
    call.signal?.addEventListener("abort", stop, { once: true });
    try {
      return await this.#enqueue(jobs, { ...call, signal: limit.signal }, send);
    } finally {
      timer.cancel();
      call.signal?.removeEventListener("abort", stop);
    }
  }

  async #enqueue(
    jobs: readonly Envelope[],
    { keys, signal, together }: KeyedCall & { readonly signal: AbortSignal },
    send: Send,
  ): Promise<readonly EnqueueResult[]> {
    const looked = await this.#looked(jobs, keys, signal);
    const failed = together ? looked.find((one) => one?.ok === false) : undefined;
    if (failed?.ok === false)
      return jobs.map(({ id, queue }) => ({ ok: false, id, queue, error: failed.error }));
    const going = jobs.filter((_, index) => looked[index] === undefined);
    if (going.length === 0) return inPlaces(looked, []);
    const sent = together
      ? await send(going, NO_KEYS, signal)
      : await this.#send(going, { keys, signal }, send);
    return inPlaces(looked, sent);
  }

  /** What is known of each job before it is sent; undefined: nothing. */
  async #looked(
    jobs: readonly Envelope[],
    keys: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly (EnqueueResult | undefined)[]> {
    const told = Promise.withResolvers<EnqueueResult[]>();
    const stop = (): void => told.resolve(jobs.map(toldToStop));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([
        told.promise,
        Promise.all(jobs.map(async (job) => (isKeyed(job, keys) ? this.#look(job) : undefined))),
      ]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #look(job: Envelope): Promise<EnqueueResult | undefined> {
    const { id, queue } = job;
    try {
      const onRecordSince = await this.#records.since(job);
      return onRecordSince === undefined
        ? undefined
        : { ok: true, id, queue, sequence: 0, duplicate: true, onRecordSince };
    } catch (error) {
      if (MillraceError.is(error)) return { ok: false, id, queue, error };
      throw error;
    }
  }

  async #send(
    jobs: readonly Envelope[],
    { keys, signal }: { readonly keys: ReadonlySet<string>; readonly signal: AbortSignal },
    send: Send,
  ): Promise<readonly EnqueueResult[]> {
    const taken = new Set(jobs.flatMap(({ id, queue }) => (this.#without.has(queue) ? [] : [id])));
    const usable = new Set([...keys].filter((id) => taken.has(id)));
    const results = await send(jobs, usable, signal);
    const again: Envelope[] = [];
    // Hundreds may have been refused for one reason.
    const looks = new Map<string, ReturnType<typeof lookUpStream>>();
    const lookUp = (subject: string): ReturnType<typeof lookUpStream> => {
      const look = looks.get(subject) ?? lookUpStream(this.#nc, subject);
      looks.set(subject, look);
      return look;
    };
    for (const [index, job] of jobs.entries())
      if (
        isKeyed(job, keys) &&
        taken.has(job.id) &&
        (await this.#isWithout(job, results[index], lookUp))
      )
        again.push(job);
    if (again.length === 0) return results;
    const later = await send(again, NO_KEYS, signal);
    return results.map((result, index) => {
      const place = again.indexOf(jobs[index] as Envelope);
      return place === -1 ? result : (later[place] as EnqueueResult);
    });
  }

  /** Whether the job would have been taken on the subject that all share. */
  async #isWithout(
    { queue, lane }: Envelope,
    result: EnqueueResult | undefined,
    lookUp: (subject: string) => ReturnType<typeof lookUpStream>,
  ): Promise<boolean> {
    if (result === undefined || result.ok) return false;
    if (this.#without.has(queue)) return true;
    const { code } = result.error;
    if (code !== "queue-not-found" && code !== "permission-denied") return false;
    if (code === "queue-not-found") {
      const shared = await lookUp(this.#names.jobs(queue, lane));
      // A producer that may not ask is told by the publish itself.
      if (shared === "not-permitted") return true;
      if (shared !== "exists") return false;
      // It was closed, and was opened since: then it takes both.
      const own = await lookUp(this.#names.keyed(queue, lane, ANY));
      if (own === "exists") return false;
    }
    this.#without.add(queue);
    return true;
  }
}

function toldToStop({ id, queue }: Envelope): EnqueueResult {
  const error = new MillraceError(
    "publish-timeout",
    `Told to stop before the job ${id} was sent: it was never sent, and is not stored.`,
  );
  return { ok: false, id, queue, error };
}
