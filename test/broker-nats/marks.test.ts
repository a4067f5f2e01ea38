import { type Broker, type Envelope, type Mark, type MarkStore, UNSETTLED } from "@millrace/core";
import { connectBroker } from "@millrace/broker-nats";
import { expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeServer } from "../harness/servers.ts";

const QUEUE = "mail";

describeServer(
  "marks of a queue",
  "newest",
  (server) => {
    async function opened(): Promise<{ broker: Broker; marks: MarkStore }> {
      const broker = await connectBroker({ servers: server.url, namespace: server.namespace() });
      cleanUpLater(() => broker.close());
      await broker.queues.ensure(QUEUE);
      const { marks } = broker;
      if (marks === undefined) throw new Error("this server stores several messages as one");
      return { broker, marks };
    }

    const job = (id: string, more: Partial<Envelope> = {}): Envelope => ({
      ...UNSETTLED,
      id,
      name: "mail.send",
      queue: QUEUE,
      payload: null,
      createdAt: Date.now(),
      headers: {},
      ...more,
    });
    const write = (value: string, after = 0) => ({ queue: QUEUE, name: "shop", value, after });
    const ids = async (broker: Broker): Promise<readonly string[]> =>
      (await broker.listWaiting(QUEUE)).map(({ envelope }) => envelope.id);

    test("a mark is stored with its jobs, and takes the place of the one before", async () => {
      const { broker, marks } = await opened();
      expect(await marks.read(QUEUE, "shop")).toBeUndefined();
      const first = await marks.enqueue([job("a"), job("b", { lane: "high" })], write("one"));
      expect(first).toMatchObject([
        { ok: true, duplicate: false },
        { ok: true, duplicate: false },
      ]);
      const mark = await marks.read(QUEUE, "shop");
      expect(mark?.value).toBe("one");
      const told: Mark[] = [];
      const onStored = (stored: Mark): void => void told.push(stored);
      await marks.enqueue([job("c")], { ...write("two", mark?.revision), onStored });
      expect(told).toEqual([await marks.read(QUEUE, "shop")]);
      expect(told[0]?.value).toBe("two");
      expect(await ids(broker)).toEqual(["a", "b", "c"]);
    });

    test("a mark that has changed since refuses the jobs too", async () => {
      const { broker, marks } = await opened();
      await marks.enqueue([job("a")], write("one"));
      await expect(marks.enqueue([job("late")], write("two"))).rejects.toMatchObject({
        code: "conflict",
      });
      expect(await ids(broker)).toEqual(["a"]);
      expect((await marks.read(QUEUE, "shop"))?.value).toBe("one");
    });

    test("an id that the queue knows already is a duplicate, and the others are stored", async () => {
      const { broker, marks } = await opened();
      await broker.enqueue([job("b")]);
      const results = await marks.enqueue([job("a"), job("b"), job("a"), job("c")], write("one"));
      expect(results.map((result) => result.ok && result.duplicate)).toEqual([
        false,
        true,
        true,
        false,
      ]);
      expect(await ids(broker)).toEqual(["b", "a", "c"]);
    });

    test("a job that can't be sent has its own error, and the others are stored", async () => {
      const { broker, marks } = await opened();
      const large = job("large", { payload: "x".repeat(2_000_000) });
      const [first, second] = await marks.enqueue([large, job("a")], write("one"));
      expect(first).toMatchObject({ ok: false, error: { code: "payload-too-large" } });
      expect(second).toMatchObject({ ok: true });
      expect(await ids(broker)).toEqual(["a"]);
    });

    test("a mark is no job: it isn't counted, listed, delivered, or as old as the queue", async () => {
      const { broker, marks } = await opened();
      await marks.enqueue([], write("one"));
      expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, oldestAgeMs: 0 });
      const delivered = Promise.withResolvers<string>();
      const worker = await broker.work(QUEUE, {
        freeSlots: () => 1,
        leaseMs: 30_000,
        onDelivery: ({ message }) => delivered.resolve(message.headers["nats-msg-id"] ?? "a mark"),
      });
      cleanUpLater(() => worker.stop());
      const mark = await marks.read(QUEUE, "shop");
      await marks.enqueue([job("a")], write("two", mark?.revision));
      expect(await delivered.promise).toBe("a");
      expect((await marks.read(QUEUE, "shop"))?.value).toBe("two");
    });

    test("a queue that was removed and made anew takes marks and jobs at once", async () => {
      const { broker, marks } = await opened();
      await marks.enqueue([job("a")], write("one"));
      await broker.queues.remove(QUEUE);
      await broker.queues.ensure(QUEUE);
      expect(await marks.enqueue([job("b"), job("c")], write("two"))).toMatchObject([
        { ok: true },
        { ok: true },
      ]);
      expect(await ids(broker)).toEqual(["b", "c"]);
      expect((await marks.read(QUEUE, "shop"))?.value).toBe("two");
    });

    test("a full queue, a closed one and one that is gone take nothing", async () => {
      const { broker, marks } = await opened();
      // The mark takes a place too.
      await broker.queues.ensure(QUEUE, { maxJobs: 2 });
      await expect(marks.enqueue([job("a"), job("b")], write("one"))).rejects.toMatchObject({
        code: "queue-full",
      });
      expect(await ids(broker)).toEqual([]);
      await broker.queues.setIntake(QUEUE, "closed");
      const [closed] = await marks.enqueue([job("a")], write("one"));
      expect(closed).toMatchObject({ ok: false, error: { code: "queue-closed" } });
      expect(await marks.read(QUEUE, "shop")).toBeUndefined();
      await broker.queues.remove(QUEUE);
      const [gone] = await marks.enqueue([job("a")], write("one"));
      expect(gone).toMatchObject({ ok: false, error: { code: "queue-not-found" } });
      // Made anew it takes marks again.
      await broker.queues.ensure(QUEUE);
      expect(await marks.enqueue([job("a")], write("one"))).toMatchObject([{ ok: true }]);
    });
  },
  { undisturbed: "a batch that a dying leader did not answer is the relay's to look at again" },
);
