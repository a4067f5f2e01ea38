import { type Envelope, type EnqueueResult, MillraceError } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { setMachine, systemMachine } from "../machine/machine.ts";
import { Names } from "../topology/subjects.ts";
import { KeyedEnqueue } from "./keyed-enqueue.ts";

const IDS = ["a", "b", "c"];
const jobs = IDS.map((id) => ({ id, queue: "q", name: "n", generation: 0 }) as Envelope);
const failure = new MillraceError("publish-timeout", "The server did not say.");

/** Looks of which one fails, and what is sent in calls. */
function desk(
  has: (id: string) => Promise<boolean>,
  whileSent: (signal: AbortSignal) => Promise<void> = () => Promise.resolve(),
  takes?: (subject: string) => boolean,
) {
  const clock = new SimulatedClock();
  const nc = {
    request: (_subject: string, body: string) => {
      if (takes === undefined)
        return Promise.reject(new Error("Permissions Violation for $JS.API.STREAM.NAMES"));
      const { subject } = JSON.parse(body) as { readonly subject: string };
      return Promise.resolve({ json: () => ({ streams: takes(subject) ? ["s"] : [] }) });
    },
  } as unknown as NatsConnection;
  setMachine(nc, { ...systemMachine, clock });
  const records = { since: async ({ id }: { id: string }) => ((await has(id)) ? 1 : undefined) };
  const keyed = new KeyedEnqueue(nc, new Names("ns"), records);
  const sends: { readonly ids: readonly string[]; readonly keys: readonly string[] }[] = [];
  const signals: AbortSignal[] = [];
  return {
    ...{ clock, sends, signals },
    enqueue: (
      together: boolean,
      answer: (job: Envelope) => EnqueueResult = ({ id, queue }) => ({
        ...{ ok: true, id, queue, sequence: 1, duplicate: false },
      }),
    ) =>
      keyed.enqueue(
        jobs,
        { keys: new Set(IDS), signal: undefined, together },
        async (going, keys, signal) => {
          sends.push({ ids: going.map(({ id }) => id), keys: [...keys] });
          signals.push(signal);
          await whileSent(signal);
          return going.map(answer);
        },
      ),
  };
}

const failsForB = (id: string): Promise<boolean> =>
  id === "b" ? Promise.reject(failure) : Promise.resolve(false);

test("where one look fails nothing of a batch that is stored as one is sent, and the others of any other are", async () => {
  const { enqueue, sends } = desk(failsForB);
  const together = await enqueue(true);
  expect(together.map((one) => !one.ok && one.error)).toEqual([failure, failure, failure]);
  expect(sends).toEqual([]);
  const each = await enqueue(false);
  expect(each.map(({ ok }) => ok)).toEqual([true, false, true]);
  expect(sends).toEqual([{ ids: ["a", "c"], keys: ["a", "c"] }]);
});

test("a denied batch that is stored as one is not sent again, and says nothing of the queue's subjects", async () => {
  const { enqueue, sends } = desk(() => Promise.resolve(false));
  const denied = new MillraceError("permission-denied", "May not.");
  const refused = await enqueue(true, ({ id, queue }) => ({ ok: false, id, queue, error: denied }));
  expect(refused.map((one) => !one.ok && one.error)).toEqual([denied, denied, denied]);
  expect(sends).toEqual([{ ids: IDS, keys: [] }]);
  await enqueue(false);
  expect(sends[1]).toEqual({ ids: IDS, keys: IDS });
});

test("who may not ask whether a queue is of an earlier version tries the subject that all share", async () => {
  const { enqueue, sends } = desk(() => Promise.resolve(false));
  const missing = new MillraceError("queue-not-found", "Nobody takes it.");
  const results = await enqueue(false, ({ id, queue }) =>
    sends.length === 1
      ? { ok: false, id, queue, error: missing }
      : { ok: true, id, queue, sequence: 1, duplicate: false },
  );
  expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect(sends).toEqual([
    { ids: IDS, keys: IDS },
    { ids: IDS, keys: [] },
  ]);
});

test("a queue that is opened again while it is asked about is not taken for one of an earlier version", async () => {
  const missing = new MillraceError("queue-not-found", "Nobody takes it.");
  const closed = ({ id, queue }: Envelope): EnqueueResult => ({
    ...{ ok: false, id, queue, error: missing },
  });
  const noIds = () => Promise.resolve(false);
  const open = desk(noIds, undefined, () => true);
  for (let round = 1; round <= 2; round += 1)
    expect((await open.enqueue(false, closed)).map(({ ok }) => ok)).toEqual([false, false, false]);
  expect(open.sends.map(({ keys }) => keys)).toEqual([IDS, IDS]);
  const earlier = desk(noIds, undefined, (subject) => subject === "ns.jobs.q");
  await earlier.enqueue(false, closed);
  expect(earlier.sends.map(({ keys }) => keys)).toEqual([IDS, []]);
});

test("the look and the publish have one deadline", async () => {
  const looked = Promise.withResolvers<boolean>();
  const { enqueue, clock, signals } = desk(() => looked.promise);
  const slow = enqueue(false);
  await clock.advance(20_000);
  looked.resolve(false);
  await slow;
  // It is over: nothing is left of the deadline.
  await clock.advance(20_000);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);

  const sending = Promise.withResolvers<AbortSignal>();
  const other = desk(
    () => Promise.resolve(false),
    (signal) => {
      sending.resolve(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    },
  );
  const hanging = other.enqueue(false);
  await sending.promise;
  await other.clock.advance(29_999);
  expect((await sending.promise).aborted).toBe(false);
  await other.clock.advance(1);
  await hanging;

  const unsaid = desk(() => new Promise(() => {}));
  const given = unsaid.enqueue(false);
  await unsaid.clock.advance(30_000);
  expect((await given).map((one) => !one.ok && one.error.code)).toEqual(
    IDS.map(() => "publish-timeout"),
  );
  expect(unsaid.sends).toEqual([]);
});
