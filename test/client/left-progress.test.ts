import { findFreePort } from "@millrace/nats-server";
import { connect, defineJob, type JobHandle, type Millrace, type ProgressReport } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { describeOnOwnServers } from "../broker-nats/real-server.ts";
import { eventually, within } from "../harness/deadline.ts";

const order = defineJob({ name: "order", queue: "orders" });

type Readers = readonly AsyncIterator<ProgressReport>[];

/** As many as a page's visitors, so that one that stays is not lost in what a client has anyway. */
const READERS = 20;

/** The ways in which a page that shows a job's progress is left. */
const WAYS: readonly (readonly [
  name: string,
  leave: (handle: JobHandle<unknown>) => Promise<() => Promise<unknown>>,
])[] = [
  [
    "a signal",
    async (handle) => {
      const stop = new AbortController();
      const readers = each(() => handle.progress({ signal: stop.signal })[Symbol.asyncIterator]());
      const ends = readers.map((reader) => reader.next().catch(() => "told"));
      return () => (stop.abort(), Promise.all(ends));
    },
  ],
  [
    "return() while it waits",
    async (handle) => {
      const readers: Readers = each(() => handle.progress()[Symbol.asyncIterator]());
      const ends = readers.map((reader) => reader.next());
      return () => Promise.all([...readers.map((reader) => reader.return?.()), ...ends]);
    },
  ],
  [
    "a break after a report",
    async (handle) => {
      const leave = Promise.withResolvers<void>();
      const reads = each(async () => {
        for await (const _ of handle.progress()) {
          await leave.promise;
          break;
        }
      });
      return () => (leave.resolve(), Promise.all(reads));
    },
  ],
];

function each<T>(make: () => T): readonly T[] {
  return Array.from({ length: READERS }, () => make());
}

describeOnOwnServers("a reader of a job's progress", (start) => {
  test.each(WAYS)("leaves no subscription behind on the server: %s", async (_, read) => {
    const port = await findFreePort();
    await using server = await start({ config: `http: "127.0.0.1:${port}"` });
    const client: Millrace = await connect({ servers: server.url, env: {} });
    onTestFinished(() => client.close());
    await client.queues.ensure("orders");
    const handle = await client.enqueue(order, null);
    await client.broker.progress.put(handle, { value: 1, attempt: 1, at: 1, node: "n" });
    const listening = async (): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${port}/connz?subs=1`);
      const { connections } = (await answer.json()) as {
        readonly connections: readonly { readonly subscriptions_list?: readonly string[] }[];
      };
      const subjects = connections.flatMap(({ subscriptions_list: of = [] }) => of);
      return subjects.filter((subject) => subject.includes(handle.id)).length;
    };
    expect(await listening()).toBe(0);
    const leave = await read(handle);
    // One for its progress and one for its end.
    await eventually(async () => (await listening()) >= 2 * READERS, {
      ...{ withinMs: 20_000, describe: "all readers listen" },
    });
    await within(leave(), 20_000, "every reading ends");
    await eventually(async () => (await listening()) === 0, {
      ...{ withinMs: 20_000, describe: "nobody listens any more" },
    });
  });
});
