import { formatMs } from "@millrace/core";
import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import { type Finding, warn } from "./finding.ts";

/** All queues share it, so one that is busy, or flooded, shortens what is kept of the others. */
const SHORT_MS = 24 * 3_600_000;
/** So many records are looked at to say whose they are. */
const SAMPLE = 100;

/** The history's stream, as far as it says for how long it keeps a record. */
export type HistorySeen = Pick<StreamInfo, "config" | "state">;

/** Whether the history drops records because there are too many, before a day is over. Pure. */
export function isShort({ config, state }: HistorySeen): boolean {
  const isFull =
    (config.max_msgs > 0 && state.messages >= config.max_msgs) ||
    // The oldest go before the last byte is taken.
    (config.max_bytes > 0 && state.bytes >= config.max_bytes * 0.95);
  return isFull && keptMs(state) < Math.min(SHORT_MS, agedMs(config));
}

/**
 * What a history that is short means, and whose records fill it. Pure.
 *
 * @param queues of records from all over it
 */
export function judgeHistory(seen: HistorySeen, queues: readonly string[]): Finding {
  const { name } = seen.config;
  const counts = new Map<string, number>();
  for (const queue of queues) counts.set(queue, (counts.get(queue) ?? 0) + 1);
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  const share = most && Math.round((100 * most[1]) / queues.length);
  const whose = most === undefined ? "" : `; about ${share} % of it is of the queue ${most[0]}`;
  return warn(
    `stream ${name}`,
    `is full: it drops records after ${formatMs(keptMs(seen.state))}${whose}`,
    `For longer than that, no queue knows an id, a result or an end (docs/limits.md, what queues share). Give it more room: nats stream edit ${name} --max-msgs=… --max-bytes=….`,
  );
}

/** Reads what it needs only where the history is short. */
export async function lookAtHistory(
  jsm: JetStreamManager,
  seen: HistorySeen | undefined,
): Promise<readonly Finding[]> {
  if (seen === undefined || !isShort(seen)) return [];
  const { first_seq: first, last_seq: last } = seen.state;
  const at = (n: number): number => first + Math.floor(((last - first) * n) / SAMPLE);
  const places = Array.from({ length: SAMPLE }, (_, n) => at(n));
  const queueAt = async (seq: number): Promise<readonly string[]> => {
    try {
      const found = await jsm.streams.getMessage(seen.config.name, { seq });
      return found?.subject.split(".").slice(2, 3) ?? [];
    } catch {
      // It was dropped meanwhile.
      return [];
    }
  };
  return [judgeHistory(seen, (await Promise.all(places.map(queueAt))).flat())];
}

function keptMs({ first_ts: first, last_ts: last }: HistorySeen["state"]): number {
  return Math.max(0, Date.parse(last) - Date.parse(first));
}

function agedMs({ max_age: age }: HistorySeen["config"]): number {
  return age > 0 ? age / 1e6 : Number.POSITIVE_INFINITY;
}
