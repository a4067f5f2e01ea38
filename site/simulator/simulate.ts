import { brokerOutlet, defineJob, type Events, Producer } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import type { StreamSettings } from "./settings.ts";
import type { Customer, Span, StreamJob } from "./stream-job.ts";

const JOBS = 48;
/** Simulated time after which what has not ended is left. */
const LONGEST_MS = 180_000;
const STEP_MS = 1_000;

/** Runs the stream: the real runtime, over a broker in memory and a clock that is moved. */
export async function simulate(settings: StreamSettings): Promise<readonly StreamJob[]> {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const history = new StreamHistory(clock.now());
  const definition = streamJob(settings);
  const node = createNode({
    jobs: [
      definition.handler(
        ({ input, attempt, job: { id } }) =>
          new Promise<void>((resolve, reject) => {
            const fails = failsAt(input.number, attempt, settings.failing);
            history.started(id, clock.now(), fails);
            clock.setTimer(100 * settings.tenths, fails ? () => reject(refused) : resolve);
          }),
      ),
    ],
    ...{ broker, clock, name: "simulated", slots: settings.slots, random: () => 0.5 },
    ...{ lease: "10m", schedulerLease: "1h" },
  });
  node.events.on("job.settled", (event) => history.settled(event, clock.now()));
  await node.start();
  const producer = new Producer(brokerOutlet(broker, clock), clock);
  for (let number = 0; number < JOBS; number += 1) {
    const job = { number, customer: customerOf(number), lane: laneOf(number, settings.high) };
    const id = `job-${number}`;
    history.created(id, job, clock.now());
    await producer.enqueue(definition, job, { id, priority: job.lane });
    await clock.advance(Math.round(1_000 / settings.perSecond));
  }
  while (!history.areAllOver && history.msSinceFirst(clock.now()) < LONGEST_MS)
    await clock.advance(STEP_MS);
  const jobs = history.jobs(clock.now());
  const stopped = node.stop({ immediate: true }).then(() => true);
  while (!(await Promise.race([stopped, clock.advance(STEP_MS).then(() => false)])));
  await broker.close();
  return jobs;
}

const refused = new Error("the payment was refused");

function streamJob({ cap, rate, attempts }: StreamSettings) {
  const key = ({ customer }: { customer: Customer }): string => customer;
  return defineJob<Pick<StreamJob, "number" | "customer" | "lane">>({
    name: "order.pay",
    queue: "orders",
    retry: { attempts, backoff: "exponential", base: "1s", jitter: false },
    ...(cap === 0 ? {} : { concurrency: { key, limit: cap } }),
    ...(rate === 0 ? {} : { rateLimit: { key, limit: rate, per: "10s" } }),
  });
}

/** Half of the jobs are Ada's, a third Bo's, the rest Cy's. */
function customerOf(number: number): Customer {
  return number % 2 === 0 ? "Ada" : number % 6 === 5 ? "Cy" : "Bo";
}

function laneOf(number: number, high: number): StreamJob["lane"] {
  return spread(number, 7) < high ? "high" : "normal";
}

/** The same attempts fail each time: whoever moves a control sees what the control does. */
function failsAt(number: number, attempt: number, failing: number): boolean {
  return spread(number, attempt) < failing;
}

/** A number from 0 to 99 that looks drawn, and is the same for the same two. */
function spread(number: number, salt: number): number {
  return (Math.imul(number * 8 + salt + 1, 2_654_435_761) >>> 12) % 100;
}

/** Writes down what the node says of the jobs. */
class StreamHistory {
  readonly #startedAt: number;
  readonly #jobs = new Map<string, Written>();
  #over = 0;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  get areAllOver(): boolean {
    return this.#over === this.#jobs.size;
  }

  msSinceFirst(now: number): number {
    return now - this.#startedAt;
  }

  created(id: string, job: Pick<StreamJob, "number" | "customer" | "lane">, now: number): void {
    const createdMs = now - this.#startedAt;
    this.#jobs.set(id, {
      ...{ ...job, createdMs, spans: [], end: "unfinished" },
      ...{ what: "queued", sinceMs: createdMs },
    });
  }

  started(id: string, now: number, fails: boolean): void {
    this.#goOn(id, now, fails ? "failed" : "running");
  }

  settled(event: Events["job.settled"], now: number): void {
    const { id, state, outcome, notBefore } = event;
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (state === "succeeded" || state === "dead") {
      this.#goOn(id, now, "queued");
      job.end = state;
      this.#over += 1;
    } else if (outcome === "failed") {
      this.#goOn(id, now, "backoff");
      if (notBefore !== undefined) job.untilMs = notBefore - this.#startedAt;
    } else this.#goOn(id, now, "limited");
  }

  jobs(now: number): readonly StreamJob[] {
    return [...this.#jobs].map(([id, job]) => {
      if (job.end === "unfinished") this.#goOn(id, now, "queued");
      const { number, customer, lane, createdMs, spans, end } = job;
      return { number, customer, lane, createdMs, spans, end };
    });
  }

  /** Ends what the job did, and begins something else. */
  #goOn(id: string, now: number, what: Span["what"]): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    const nowMs = now - this.#startedAt;
    const dueMs = Math.min(job.untilMs ?? nowMs, nowMs);
    for (const span of [
      { what: job.what, fromMs: job.sinceMs, toMs: dueMs },
      // It was due, and waited for a slot.
      { what: "queued" as const, fromMs: dueMs, toMs: nowMs },
    ])
      if (span.toMs > span.fromMs) job.spans.push(span);
    job.what = what;
    job.sinceMs = nowMs;
    delete job.untilMs;
  }
}

interface Written extends Omit<StreamJob, "spans" | "end"> {
  readonly spans: Span[];
  end: StreamJob["end"];
  what: Span["what"];
  sinceMs: number;
  /** Until when it waits by itself; after that it waits for a slot. */
  untilMs?: number;
}
