import {
  type Broker,
  type Clock,
  type Document,
  type DocumentStore,
  findToReplace,
  MillraceError,
  optionNames,
  refuseUnknown,
  type Stoppable,
  type Timer,
} from "@millrace/core";
import { nodesOf } from "../nodes.ts";
import {
  isSame,
  KEPT_MS,
  readSamples,
  type Sample,
  SAMPLES_BUCKET,
  SPAN_MS,
  spanOf,
  storedSamples,
} from "./sample.ts";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** How often a fleet is sampled, whoever and how many do it. */
const EVERY_MS = 60_000;
/** An hour, and what comes before it. */
const FEW_SPANS = 10;
const ONE = { order: "newest first", limit: 1 } as const;
/** Who comes so soon after another leaves it at that. */
const TAKEN_MS = 45_000;

/** How a fleet was over time, kept for seven days: one sample a minute, and only where it moved. */
export interface Samples {
  /**
   * The samples since a time, oldest first. Where nothing but time passes, there is one in ten
   * minutes; where nobody takes any, there is none.
   *
   * @param query.since epoch milliseconds
   */
  list(query: { readonly since: number } & CallLimits): Promise<readonly Sample[]>;
  /** Takes the sample of this minute, if nobody has. @returns whether it was written */
  take(limits?: CallLimits): Promise<boolean>;
  /** Takes samples until it is stopped. Any number may; the fleet is sampled once a minute. */
  serve(options?: {
    readonly onDefect?: (error: unknown) => void;
    readonly signal?: AbortSignal;
  }): Promise<Stoppable>;
}

const LIST_NAMES = optionNames<Parameters<Samples["list"]>[0]>({ since: true, ...LIMITS });
const SERVE_NAMES = optionNames<NonNullable<Parameters<Samples["serve"]>[0]>>({
  ...{ onDefect: true, signal: true },
});
export const SAMPLES_LIMITS: LimitsPlaces<Omit<Samples, "serve">> = {
  ...{ list: among(0), take: alone(0) },
};

export function samplesOf(broker: Broker, clock: Clock): Samples {
  const take = (): Promise<boolean> => takeSample(broker);
  return {
    async list(query) {
      refuseUnknown(query, LIST_NAMES, "samples.list()");
      const { since } = query;
      if (typeof since !== "number" || Number.isNaN(since))
        throw new MillraceError("invalid-option", "since: must be epoch milliseconds.");
      return (await documentsSince(await broker.documents(SAMPLES_BUCKET, { look: true }), since))
        .flatMap(({ value }) => readSamples(value))
        .filter(({ at }) => at >= since)
        .toSorted((a, b) => a.at - b.at);
    },
    take,
    async serve(options = {}) {
      refuseUnknown(options, SERVE_NAMES, "samples.serve()");
      const { onDefect } = options;
      let isStopped = false;
      let timer: Timer | undefined;
      let taking: Promise<unknown> = Promise.resolve();
      const again = (): void => {
        if (isStopped) return;
        timer = clock.setTimer(EVERY_MS, () => {
          taking = take()
            .catch((error: unknown) => {
              // An outage leaves a gap.
              if (!MillraceError.is(error)) onDefect?.(error);
            })
            .finally(again);
        });
        timer.unref?.();
      };
      again();
      return {
        stop: async () => {
          isStopped = true;
          timer?.cancel();
          await taking;
        },
      };
    },
  };
}

/** Of few spans each is asked for by its key: all are those of seven days. */
async function documentsSince(store: DocumentStore, since: number): Promise<readonly Document[]> {
  const first = Math.floor(since / SPAN_MS);
  const count = Math.floor((await store.now()) / SPAN_MS) - first + 1;
  if (count > FEW_SPANS) return (await store.list()).filter(({ key }) => Number(key) >= first);
  const keys = Array.from({ length: Math.max(count, 0) }, (_, n) => String(first + n));
  const found = await Promise.all(keys.map((key) => store.peek(key)));
  return found.flatMap((document) => document ?? []);
}

/** Where there is nothing yet, nothing is written: whoever has a dashboard open only looks. */
async function takeSample(broker: Broker): Promise<boolean> {
  const isBegun =
    (await (await broker.documents(SAMPLES_BUCKET, { look: true })).page(ONE)).documents.length > 0;
  if (!isBegun && isNothing(await lookAt(broker, 0))) return false;
  const store = await broker.documents(SAMPLES_BUCKET);
  const at = await store.now();
  const key = spanOf(at);
  const [document, before] = await Promise.all([
    findToReplace(store, key),
    store.peek(spanOf(at - SPAN_MS)),
  ]);
  const samples = readSamples(document?.value);
  const last = samples.at(-1) ?? readSamples(before?.value).at(-1);
  if (last !== undefined && at - last.at < TAKEN_MS) return false;
  const sample = await lookAt(broker, at);
  if (last !== undefined && at - last.at < SPAN_MS && isSame(last, sample)) return false;
  try {
    await store.put(key, storedSamples([...samples, sample]), document?.revision ?? 0);
  } catch (error) {
    // Another was faster.
    if (MillraceError.is(error, "revision-conflict")) return false;
    throw error;
  }
  if (document === undefined) await eraseOld(store, at);
  return true;
}

/** No queue, and no node. */
function isNothing({ queues, slots, used }: Sample): boolean {
  return Object.keys(queues).length === 0 && slots === 0 && used === 0;
}

async function lookAt(broker: Broker, at: number): Promise<Sample> {
  const [queues, nodes] = await Promise.all([broker.queues.list(), nodesOf(broker).list()]);
  const reports = nodes.filter(({ state }) => state !== "lost").flatMap((node) => node.queues);
  return {
    at,
    queues: Object.fromEntries(
      queues.map(({ queue, queued, running, delayed, blocked, dead, oldestAgeMs }) => [
        queue,
        { queued, running, delayed, blocked, dead, oldestAgeMs: Math.round(oldestAgeMs) },
      ]),
    ),
    slots: reports.reduce((sum, { slots }) => sum + slots, 0),
    used: reports.reduce((sum, { used }) => sum + used, 0),
  };
}

/** Once in ten minutes. What two erase at once is gone all the same. */
async function eraseOld(store: DocumentStore, now: number): Promise<void> {
  const isOld = ({ key }: Document): boolean => (Number(key) + 1) * SPAN_MS < now - KEPT_MS;
  for (const { key, revision } of (await store.list()).filter(isOld))
    await store.erase(key, revision);
}
