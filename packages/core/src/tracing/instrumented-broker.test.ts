import { expect, test } from "vitest";
import { UNSETTLED, type Envelope } from "../envelope/envelope.ts";
import { MemoryBroker } from "@millrace/testkit";
import type { Instrumentation } from "./instrumentation.ts";
import { instrumentedBroker } from "./instrumented-broker.ts";

const envelope: Envelope = {
  ...UNSETTLED,
  id: "a",
  name: "n",
  queue: "q",
  payload: null,
  createdAt: 1,
  headers: {},
};

function setUp(publish: Instrumentation["publish"]) {
  const broker = new MemoryBroker();
  const troubles: unknown[] = [];
  const instrumentation: Instrumentation = {
    publish,
    attempt: () => undefined,
    ended: () => {},
    shutdown: () => Promise.resolve(),
  };
  const wrapped = instrumentedBroker(broker, instrumentation, (error) => troubles.push(error));
  return { broker, wrapped, troubles };
}

test("what is sent is what the instrumentation makes of it; all else is the broker's own", async () => {
  const { broker, wrapped, troubles } = setUp(({ envelopes }, send) =>
    send(envelopes.map((one) => ({ ...one, headers: { traceparent: "t" } }))),
  );
  await wrapped.queues.ensure("q");
  expect(await wrapped.enqueue([envelope])).toMatchObject([{ ok: true, id: "a" }]);
  await wrapped.requeue({ ...envelope, id: "b", generation: 1 });
  expect((await broker.listWaiting("q")).map((job) => job.envelope.headers)).toEqual([
    { traceparent: "t" },
    { traceparent: "t" },
  ]);
  expect(wrapped.status).toBe("connected");
  expect(wrapped.description).toBe(broker.description);
  expect(troubles).toEqual([]);
  await wrapped.close();
});

test("an instrumentation that fails before or after the send changes nothing for the jobs, which are sent once", async () => {
  const broken = new Error("broken instrumentation");
  for (const publish of [
    () => Promise.reject(broken),
    () => {
      throw broken;
    },
    async ({ envelopes }, send) => {
      await send(envelopes);
      throw broken;
    },
  ] satisfies Instrumentation["publish"][]) {
    const { broker, wrapped, troubles } = setUp(publish);
    await broker.queues.ensure("q");
    expect(await wrapped.enqueue([envelope])).toMatchObject([{ ok: true, duplicate: false }]);
    expect(await broker.listWaiting("q")).toHaveLength(1);
    expect(troubles).toEqual([broken]);
    await broker.close();
  }
});

test("the broker's own refusal comes through as it is, and is no trouble of the instrumentation", async () => {
  const { broker, wrapped, troubles } = setUp(({ envelopes }, send) => send(envelopes));
  await expect(wrapped.requeue({ ...envelope, generation: 1 })).rejects.toMatchObject({
    code: "queue-not-found",
  });
  expect(troubles).toEqual([]);
  await broker.close();
});
