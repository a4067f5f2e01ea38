import type { Evidence, SignalTaken } from "./evidence.ts";
import type { Violation } from "./violation.ts";

/** With retries, leases and sleeps of its own a job has come by a signal after this. */
const TAKEN_WITHIN_MS = 4 * 60_000;

/**
 * A signal is taken by one wait, and a wait takes one, whichever run it is asked in. One that was
 * sent is taken soon after, and after the last fault: who sleeps on until a deadline has lost its
 * wake.
 */
export function* judgeSignals({ taken, signalled, healedMs }: Evidence): Generator<Violation> {
  for (const [job, seen] of Map.groupBy(taken, ({ queue, job }) => `${queue}/${job}`)) {
    const sent = signalled.filter(({ queue, job: of }) => `${queue}/${of}` === job);
    const byWait = Map.groupBy(seen, ({ n }) => n);
    const values: unknown[] = [];
    for (const [n, entries] of byWait) {
      const given = new Set(entries.map(({ value }) => value));
      if (given.size > 1)
        yield { is: "untrue-step", job, detail: `wait ${n} was given ${[...given].join(", ")}` };
      values.push(...given);
      yield* judgeWake(job, entries[0] as SignalTaken, sent, healedMs);
    }
    const answers = values.filter((value) => value !== undefined);
    if (new Set(answers).size < answers.length)
      yield { is: "signal-twice", job, detail: `its waits were given ${answers.join(", ")}` };
  }
}

function* judgeWake(
  job: string,
  { atMs, n, value }: SignalTaken,
  sent: Evidence["signalled"],
  healedMs: number,
): Generator<Violation> {
  const mine = sent.find((signal) => signal.value === value);
  const came = sent.filter((signal) => signal.atMs <= atMs);
  const isUnanswered = value === undefined && came.length > n;
  if (isUnanswered)
    yield { is: "lost-wake", job, detail: `wait ${n} had no signal though ${came.length} came` };
  const lateMs = mine === undefined ? 0 : atMs - Math.max(mine.atMs, healedMs);
  if (lateMs > TAKEN_WITHIN_MS)
    yield { is: "lost-wake", job, detail: `wait ${n} was given its signal ${lateMs} ms late` };
}
