import { CANCELLATIONS_BUCKET, type DocumentStore, MillraceError, snooze } from "@millrace/core";
import { MemoryBroker, type MemoryServer, type SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { latch, makeNode, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";
import { scene, KEY, jobThat, type Handle } from "../fixtures/cancelled-jobs.ts";

/** A broker whose watch of the cancellations is dead and nobody knows it yet. */
function withDeadWatch(
  clock: SimulatedClock,
  server: MemoryServer,
  changed: (documents: DocumentStore) => Partial<DocumentStore>,
): MemoryBroker {
  const broker = new MemoryBroker({ clock, server });
  const open = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    const documents = await open(bucket);
    return bucket === CANCELLATIONS_BUCKET
      ? Object.assign(documents, changed(documents), {
          watch: async () => ({ stop: async () => {} }),
        })
      : documents;
  };
  return broker;
}

const CANCELLED = { state: "cancelled", outcome: "cancelled", reason: "user left" };

describe("a running job", () => {
  test("has its signal aborted at the instant, and ends as cancelled when it stops", async () => {
    const { clock, server, from } = scene();
    let reason: unknown;
    const job = jobThat(
      ({ signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason as Error);
          }),
        ),
    );
    const { enqueue, history } = await simulatedNode({ jobs: [job], clock, server });
    await enqueue("t.job");
    await from.put({ createdAt: clock.now() });
    await clock.advance(0);
    expect(reason).toMatchObject({ code: "cancelled", message: "user left" });
    expect(await history()).toMatchObject([CANCELLED]);
    expect(await from.open()).toEqual([]);
  });

  test("that ignores its signal is settled after its grace", async () => {
    const { clock, server, from } = scene();
    const job = jobThat(() => new Promise(() => {}), { grace: "5s" });
    const { enqueue, history, said } = await simulatedNode({ jobs: [job], clock, server });
    await enqueue("t.job");
    await from.put();
    await clock.advance("4s");
    expect(await history()).toEqual([]);
    await clock.advance("1s");
    expect(await history()).toMatchObject([CANCELLED]);
    expect(said).toContain("ignored a");
    expect(await from.open()).toEqual([]);
  });

  test("that succeeds all the same has succeeded, and nothing is left of the cancellation", async () => {
    const { clock, server, from } = scene();
    const end = latch<string>();
    const { enqueue, history } = await simulatedNode({
      jobs: [jobThat(() => end.promise)],
      clock,
      server,
    });
    await enqueue("t.job");
    await from.put();
    await clock.advance("1s");
    end.open("done");
    await clock.advance(0);
    expect(await history()).toMatchObject([{ state: "succeeded", output: "done" }]);
    expect(await from.open()).toEqual([]);
  });

  test.each<[string, Handle]>([
    ["snooze", () => snooze("1h")],
    [
      "fail and be retried",
      () => {
        throw new Error("no");
      },
    ],
  ])("that would %s is cancelled instead of coming again", async (_what, ending) => {
    const { clock, server, from } = scene();
    const end = latch();
    const job = jobThat(async (context) => end.promise.then(() => ending(context)), {
      retry: { attempts: 5, backoff: "fixed", base: "1h", jitter: false },
    });
    const { enqueue, history } = await simulatedNode({ jobs: [job], clock, server });
    await enqueue("t.job");
    await from.put();
    await clock.advance(0);
    end.open();
    await clock.advance(0);
    expect(await history()).toMatchObject([{ ...CANCELLED, attempts: 0 }]);
  });

  test("that was handed back by a stopping node is cancelled by the next one", async () => {
    const { clock, server, from } = scene();
    const first = await simulatedNode({
      jobs: [jobThat(() => new Promise(() => {}))],
      clock,
      server,
    });
    await first.enqueue("t.job");
    const stopping = first.node.stop({ immediate: true });
    await clock.advance(0);
    await stopping;
    expect(await first.history()).toMatchObject([{ outcome: "interrupted" }]);
    await from.put();
    let runs = 0;
    const second = await simulatedNode({ jobs: [jobThat(() => (runs += 1))], clock, server });
    await clock.advance("1s");
    expect(await second.history()).toMatchObject([{ outcome: "interrupted" }, CANCELLED]);
    expect(runs).toBe(0);
  });
});

describe("a waiting job", () => {
  test("is settled when a node reaches it, without being run, by a node that was not there at the cancel", async () => {
    const { clock, server, from } = scene();
    let runs = 0;
    const made = makeNode({ jobs: [jobThat(() => (runs += 1))], clock, server });
    await from.broker.queues.ensure(QUEUE);
    await made.enqueue("t.job", null, { createdAt: 7 });
    await from.put({ createdAt: 7 });
    await made.node.start();
    await clock.advance(0);
    expect(runs).toBe(0);
    expect(await made.history()).toMatchObject([{ ...CANCELLED, attempts: 0 }]);
    expect(await from.open()).toEqual([]);
  });

  test("is cancelled also where no handler knows its name", async () => {
    const { clock, server, from } = scene();
    const { enqueue, history, broker } = await simulatedNode({
      jobs: [jobThat(() => 1)],
      clock,
      server,
    });
    await from.put();
    await enqueue("unknown");
    expect(await history()).toMatchObject([CANCELLED]);
    expect(await broker.deadLetters.list()).toEqual([]);
  });

  test("of another time under the same id is not meant", async () => {
    const { clock, server, from } = scene();
    const { enqueue, history } = await simulatedNode({ jobs: [jobThat(() => 1)], clock, server });
    await from.put({ createdAt: clock.now() - 86_400_000 });
    await enqueue("t.job");
    expect(await history()).toMatchObject([{ state: "succeeded" }]);
    expect(await from.open()).toEqual([KEY]);
  });

  test("has its cancellation removed when it is settled, and no other's of its id", async () => {
    const { clock, server, from } = scene();
    const { enqueue, history } = await simulatedNode({ jobs: [jobThat(() => 1)], clock, server });
    const [now, another] = [clock.now(), clock.now() + 86_400_000];
    await from.put({ createdAt: now }, `${KEY}.${now}`);
    await from.put({ createdAt: another }, `${KEY}.${another}`);
    await from.put({ createdAt: another });
    await enqueue("t.job");
    expect(await history()).toMatchObject([CANCELLED]);
    expect(await from.open()).toEqual([`${KEY}.${another}`, KEY]);
  });

  test("is not run by a node that was cut off when it was cancelled, before that node knows", async () => {
    const { clock, server, from } = scene();
    const listed = latch();
    let isSlow = false;
    const broker = withDeadWatch(clock, server, (documents) => {
      const list = documents.list.bind(documents);
      return {
        list: async () => {
          if (isSlow) await listed.promise;
          return list();
        },
      };
    });
    let runs = 0;
    const job = jobThat(() => (runs += 1));
    const { enqueue, history } = await simulatedNode({ jobs: [job], clock, server, broker });
    broker.disconnect();
    await enqueue("t.job");
    await from.put();
    isSlow = true;
    broker.reconnect();
    await clock.advance("1s");
    expect(await history()).toEqual([]);
    listed.open();
    await clock.advance(0);
    expect(await history()).toMatchObject([{ ...CANCELLED, attempts: 0 }]);
    expect(runs).toBe(0);
  });

  test("is cancelled although it was cancelled while its node was cut off", async () => {
    const { clock, server, from } = scene();
    const end = latch<number>();
    let told: unknown;
    const job = jobThat(({ signal }) => {
      signal.addEventListener("abort", () => (told = signal.reason));
      return end.promise;
    });
    const { enqueue, broker } = await simulatedNode({ jobs: [job], clock, server });
    await enqueue("t.job");
    broker.disconnect();
    await from.put();
    await clock.advance("1s");
    expect(told).toBeUndefined();
    broker.reconnect();
    await clock.advance(0);
    expect(told).toMatchObject({ code: "cancelled" });
    end.open(1);
  });
});

test("a delayed job that is brought to be cancelled does not run where nobody has heard of its cancellation", async () => {
  const { clock, server, from } = scene();
  let runs = 0;
  const { enqueue, history } = await simulatedNode({
    jobs: [jobThat(() => (runs += 1))],
    clock,
    server,
  });
  await enqueue("t.job", {}, { notBefore: clock.now() + 600_000 });
  await clock.advance("1s");
  // No document was written: as if the watch were behind.
  expect(
    await from.broker.delayed.move("a", QUEUE, "now", { cancellation: { reason: "user left" } }),
  ).toBe(true);
  await clock.advance("1s");
  expect(await history()).toMatchObject([
    { state: "requeued", outcome: "deferred" },
    { ...CANCELLED, attempts: 0 },
  ]);
  expect(runs).toBe(0);
});

describe("a cancellation that the watch is silent about", () => {
  /** A node, and what a test has it hear. */
  async function deafScene(handle: Handle) {
    const { clock, server, from } = scene();
    const ears = new Set<Parameters<DocumentStore["hearPuts"]>[0]>();
    const broker = withDeadWatch(clock, server, (documents) => {
      const hearPuts = documents.hearPuts.bind(documents);
      return {
        hearPuts: (listener) => {
          ears.add(listener);
          return hearPuts(listener);
        },
      };
    });
    const made = await simulatedNode({ jobs: [jobThat(handle)], slots: 1, clock, server, broker });
    const say = (value: unknown): void => ears.forEach((ear) => ear({ key: KEY, value }));
    return { ...made, from, say };
  }

  test("is heard as it is asked for: a waiting job is not run, a running one aborted; and it goes with its job", async () => {
    const end = latch();
    const told: unknown[] = [];
    const { clock, enqueue, history, from } = await deafScene(({ signal, job: { id } }) => {
      signal.addEventListener("abort", () => told.push(id, signal.reason));
      return end.promise;
    });
    await enqueue("t.job", null, { id: "first" });
    await enqueue("t.job");
    await from.put();
    await from.put({}, `${QUEUE}.first`);
    await clock.advance(0);
    expect(told).toMatchObject(["first", { code: "cancelled" }]);
    end.open();
    await clock.advance(0);
    expect(await history()).toMatchObject([{ ...CANCELLED, attempts: 0 }]);
    expect(await from.open()).toEqual([]);
  });

  test("and that was never stored is forgotten: a later job of its id runs", async () => {
    const { clock, enqueue, history, say } = await deafScene(() => 1);
    say({ reason: "refused" });
    await clock.advance("1h");
    await enqueue("t.job");
    expect(await history()).toMatchObject([{ state: "succeeded" }]);
  });
});

test("a crash between the record of a cancelled job and its ack: recalled, and the cancellation goes", async () => {
  const { clock, server, from } = scene();
  const { broker, enqueue, history, said } = await simulatedNode({
    jobs: [jobThat(() => 1)],
    clock,
    server,
  });
  await from.put();
  broker.failNext("ack", new MillraceError("request-timeout", "no answer"));
  await enqueue("t.job");
  broker.loseLeases(QUEUE);
  await clock.advance("1s");
  expect(said).toContain("settled a recalled recalled");
  expect(await history()).toHaveLength(1);
  expect(await from.open()).toEqual([]);
});
