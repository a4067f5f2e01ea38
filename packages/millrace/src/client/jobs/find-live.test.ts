import {
  type BlockedJob,
  type Broker,
  defined,
  defineJob,
  type DelayedJob,
  type Envelope,
} from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { createClient } from "../client.ts";
import type { FoundLiveJobs } from "./find-live.ts";
import type { OperationTarget } from "../operations/what-is-meant.ts";

/** Of a producer that delays a job, and of one that blocks one, for each page that is read. */
class EverMore {
  readonly broker: Broker;
  readonly clock = new SimulatedClock();
  readonly asked: string[] = [];
  /** What happens meanwhile. */
  onPage = (): void => undefined;

  constructor(atFirst: number) {
    this.broker = new MemoryBroker({ clock: this.clock });
    const { delayed: later, blocked: held } = this.broker;
    let stored = atFirst;
    const page = <Job>(what: string, make: (place: number) => Job, after = 0): Promise<Job[]> => {
      this.asked.push(what);
      if (this.asked.length > 100) throw new Error("it would never end");
      this.onPage();
      stored += 1;
      return Promise.resolve([make(after + 1)]);
    };
    const newest = (): Promise<number> => Promise.resolve(stored);
    later.list = (query) => page("delayed", delayed, query?.after);
    held.list = (query) => page("blocked", blocked, query?.after);
    later.newest = newest;
    held.newest = newest;
  }
}

function delayed(position: number): DelayedJob {
  return {
    ...{ id: `later-${position}`, queue: "mail", name: "mail.send", notBefore: 10, generation: 0 },
    ...{ attempts: 0, byProducer: true, storedAt: 1, position },
  };
}

function blocked(sequence: number): BlockedJob {
  const envelope: Envelope = {
    ...{ id: `blocked-${sequence}`, queue: "mail", name: "mail.send", payload: 1, headers: {} },
    ...{ attempts: 0, generation: 0, interruptions: 0, crashes: 0, snoozes: 0, createdAt: 1 },
  };
  return { envelope, gate: "key/a", sequence, storedAt: 1 };
}

function cancelling(where: string): OperationTarget {
  return { kind: "jobs-cancel", filter: { where } };
}

test.each(["state=delayed", "state=blocked"])(
  "a look at what has %s ends, though more comes while it is read",
  async (where) => {
    const { broker, clock } = new EverMore(3);
    const client = createClient(broker, clock);
    // Those that were there, and those that came while these were looked at, twice.
    expect(await client.operations.count(cancelling(where))).toBe(9);
    expect(await client.operations.count(cancelling(`${where} name=other`))).toBe(0);
  },
);

test.each([
  ["state=queued", []],
  ["state=queued OR state=blocked", ["blocked"]],
  ["state=d* name=mail.send", ["delayed"]],
  ["-state=delayed", ["blocked"]],
  ["-(state=delayed name=other)", ["blocked", "delayed"]],
  ["name=mail.send", ["blocked", "delayed"]],
])("of what %s leaves out, nothing is read", async (where, expected) => {
  const of = new EverMore(1);
  await createClient(of.broker, of.clock).operations.count(cancelling(where));
  expect([...new Set(of.asked)].toSorted()).toEqual(expected);
});

test("a queue that is not there is refused, also where the filter leaves out what lies in it", async () => {
  const { broker, clock } = new EverMore(0);
  const filter = { queue: "nowhere", where: "state=delayed" };
  const counted = createClient(broker, clock).operations.count({ kind: "jobs-cancel", filter });
  await expect(counted).rejects.toMatchObject({ code: "queue-not-found" });
});

/** One runs in each of two queues. */
async function twoRun() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const client = createClient(broker, clock);
  const release = Promise.withResolvers<void>();
  const jobs = ["a", "b"].map((queue) =>
    defineJob<{ readonly n: number }>({ name: `${queue}.run`, queue }),
  );
  const handled = jobs.map((job) => job.handler(() => release.promise));
  const node = createNode({ broker, clock, jobs: handled });
  await node.start();
  onTestFinished(async () => {
    release.resolve();
    await node.stop();
  });
  for (const job of jobs) await client.enqueue(job, { n: 1 });
  await clock.advance("1s");
  let reads = 0;
  const { arrivals } = broker;
  const stretch = arrivals.stretch.bind(arrivals);
  arrivals.stretch = (...query) => {
    reads += 1;
    return stretch(...query);
  };
  const search = async (where: string, within?: number): Promise<FoundLiveJobs> => {
    const found = client.jobs.search({ state: "running", where, ...defined({ within }) });
    // Nodes have a while to say what they run.
    await clock.advance("1s");
    return found;
  };
  return { search, reads: () => reads };
}

test("a search of what runs says that it has not looked at all of it", async () => {
  const { search } = await twoRun();
  expect(await search("payload.n:1")).toMatchObject({ looked: 2, more: false });
  const short = await search("payload.n:1", 0);
  expect(short).toMatchObject({ looked: 1, more: true });
  expect(short.jobs).toHaveLength(1);
});

test("of what runs and can't fit, whatever it carries, nothing is read", async () => {
  const { search, reads } = await twoRun();
  expect(await search("payload.n:1 name=other")).toEqual({ jobs: [], looked: 2, more: false });
  expect(reads()).toBe(0);
  expect(await search("payload.n:1 queue=b")).toMatchObject({ looked: 2, more: false });
  expect(reads()).toBe(1);
});

test("a search lets others have their turn, and ends in its time, while it looks through a page", async () => {
  const clock = new SimulatedClock();
  const client = createClient(new MemoryBroker({ clock }), clock);
  await client.queues.ensure("mail");
  const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });
  await client.enqueueMany(
    send,
    Array.from({ length: 500 }, (_, n) => ({ input: { n } })),
  );
  const search = async (within: number): Promise<FoundLiveJobs> => {
    const found = client.jobs.search({ state: "queued", where: "payload.n:499", within });
    // Nodes have a while to say what they run.
    await clock.advance("1s");
    return found;
  };
  expect(await search(0)).toMatchObject({ looked: 1, more: true });
  // Each job takes as long as others may wait.
  let at = 0;
  const time = vi.spyOn(performance, "now").mockImplementation(() => (at += 10));
  onTestFinished(() => time.mockRestore());
  let turns = 0;
  let isOver = false;
  const count = (): void => void (isOver || ((turns += 1), setImmediate(count)));
  const found = search(60_000).finally(() => void (isOver = true));
  count();
  expect(await found).toMatchObject({ looked: 500, more: false });
  expect(turns).toBeGreaterThanOrEqual(400);
});

test("an operation that nobody waits for any more is not begun, and its look ends", async () => {
  const of = new EverMore(50);
  const client = createClient(of.broker, of.clock);
  const leaving = new AbortController();
  of.onPage = () => void (of.asked.length === 2 && leaving.abort(new Error("gone")));
  const started = client.operations.start({
    ...cancelling("state=delayed"),
    signal: leaving.signal,
  });
  await expect(started).rejects.toThrow("gone");
  await of.clock.advance("1m");
  expect(of.asked).toHaveLength(2);
  expect(await client.operations.list()).toEqual([]);
});
