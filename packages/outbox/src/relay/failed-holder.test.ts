import { type Broker, defineJob, MillraceError } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { readRow } from "../rows/read-row.ts";
import { replaced } from "./killer.fixture.ts";
import { relayScene } from "./relay-scene.fixture.ts";

const charge = defineJob<{ of: string }>({
  name: "charge",
  queue: "mail",
  unique: { key: () => "k" },
});
const limits = { rows: 500, bytes: 8_000_000 };

async function scene() {
  const { database, outbox, queued, relayOn, ...rest } = await relayScene("mail");
  const { store } = rest;
  const enqueue = (id: string, of: string) => outbox(database).enqueue(charge, { of }, { id });
  /** What a job takes as it is: with its key it takes more. */
  const bytesOfFirst = async (): Promise<number> => {
    const row = (await store.claim("mail", limits))?.rows[0];
    const read = row === undefined ? undefined : readRow("mail", row);
    if (read?.ok !== true) throw new Error("there is a row");
    const told = new MemoryBroker({ maxMessageBytes: 1 }).marks.refusal(read.job.envelope);
    return Number(/takes (\d+) bytes/.exec(told?.message ?? "")?.[1]);
  };
  const relay = (via: Broker): (() => Promise<number>) => relayOn({ broker: via }).round;
  const round = (via: Broker): Promise<number> => relay(via)();
  return { ...rest, enqueue, bytesOfFirst, relay, round, queued: () => queued("mail") };
}

/** One that learns of a job that is too large only as its stream refuses all that go with it. */
function withStreamLimit(of: Broker, before: (round: number) => void): Broker {
  const { marks } = of;
  if (marks === undefined) throw new Error("it has marks");
  let rounds = 0;
  const isLarge = ({ payload }: { readonly payload: unknown }): boolean =>
    JSON.stringify(payload).length > 1_000;
  const error = new MillraceError("payload-too-large", "A message exceeds max_msg_size.");
  const refusing = replaced(marks, "enqueue", async (jobs, mark) => {
    before((rounds += 1));
    if (jobs.some(isLarge)) throw error;
    return marks.enqueue(jobs, mark);
  });
  return replaced<Broker, "marks">(of, "marks", refusing);
}

test.each([
  ["with marks", (via: Broker) => via],
  ["by ids", (via: Broker) => replaced<Broker, "marks">(via, "marks", undefined)],
] as const)(
  "a committed job is not taken for kept out by a job that could not be published, %s",
  async (_, by) => {
    const { server, clock, store, enqueue, bytesOfFirst, round, queued } = await scene();
    enqueue("large", "x".repeat(2_000));
    enqueue("larger", "x".repeat(3_000));
    enqueue("small", "x");
    enqueue("another", "x");
    await store.mark("mail");
    const maxMessageBytes = await bytesOfFirst();
    await round(by(new MemoryBroker({ server, clock, maxMessageBytes })));
    expect(await queued()).toEqual(["small"]);
    expect(await store.listSetAside(10)).toMatchObject([
      { id: "large", reason: "payload-too-large" },
      { id: "larger", reason: "payload-too-large" },
    ]);
    expect(await store.status()).toMatchObject([{ waiting: 0, setAside: 2 }]);
  },
);

test("a job that its stream refuses with all others gives its key back to the next one", async () => {
  const { broker, store, enqueue, round, queued } = await scene();
  enqueue("large", "x".repeat(2_000));
  enqueue("small", "x");
  enqueue("another", "x");
  await round(withStreamLimit(broker, () => {}));
  expect(await queued()).toEqual(["small"]);
  expect(await store.listSetAside(10)).toMatchObject([
    { id: "large", reason: "payload-too-large" },
  ]);
  expect(await store.status()).toMatchObject([{ waiting: 0, setAside: 1 }]);
});

test.each([
  ["with marks", (via: Broker) => via],
  [
    "by ids",
    (via: Broker) =>
      replaced<Broker, "marks">(
        replaced(via, "enqueue", async (jobs) => {
          const { id, queue } = jobs[0] ?? { id: "", queue: "" };
          try {
            return await (via.marks?.enqueue([...jobs], { queue, name: id, value: id, after: 0 }) ??
              []);
          } catch (error) {
            if (!MillraceError.is(error)) throw error;
            return jobs.map((job) => ({ ok: false, id: job.id, queue, error }));
          }
        }),
        "marks",
        undefined,
      ),
  ],
] as const)(
  "one whose first message may be stored waits until its claim is over, and the next one with it, %s",
  async (_, by) => {
    const { clock, broker, store, enqueue, queued, relay } = await scene();
    enqueue("large", "x".repeat(2_000));
    await store.mark("mail");
    const round = relay(
      by(
        withStreamLimit(broker, (times) => {
          if (times === 1) throw new MillraceError("publish-timeout", "no answer");
        }),
      ),
    );
    await round();
    await clock.advance(2_000);
    await round();
    expect(await store.listSetAside(10)).toEqual([]);
    enqueue("small", "x");
    for (let second = 0; second < 30; second += 1) {
      await round();
      await clock.advance(1_000);
    }
    expect(await queued()).toEqual(["small"]);
    expect(await store.listSetAside(10)).toMatchObject([
      { id: "large", reason: "payload-too-large" },
    ]);
    expect(await store.status()).toMatchObject([{ waiting: 0, setAside: 1 }]);
  },
);
