import { defineJob } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../client.ts";
import type { LiveState } from "./live-jobs.ts";

const send = defineJob<{ readonly text: string }>({
  ...{ name: "mail.send", queue: "mail", concurrency: { key: () => "one", limit: 1 } },
});
/** Five of them are more than a page holds. */
const TEXT = "x".repeat(900_000);

/** A queue with twelve large jobs in a state, and how many were read at a time. */
async function scene(state: Exclude<LiveState, "running">) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const broker = new MemoryBroker({ clock, server });
  const client = createClient(broker, clock);
  const release = Promise.withResolvers<void>();
  const node = createNode({
    ...{ broker: new MemoryBroker({ clock, server }), clock, random: () => 0.5 },
    jobs: [send.handler(() => release.promise)],
  });
  await node.start();
  onTestFinished(async () => {
    release.resolve();
    await node.stop();
  });
  if (state === "queued") await client.queues.pause("mail");
  if (state === "blocked") await client.enqueue(send, { text: "" }, { id: "first" });
  await clock.advance("1s");
  for (let n = 0; n < 12; n += 1) {
    const delay = state === "delayed" ? ({ delay: "1h" } as const) : {};
    await client.enqueue(send, { text: TEXT }, { id: idOf(n), ...delay });
    await clock.advance("1s");
  }
  const pages: number[] = [];
  const counted = async <Job>(page: Promise<readonly Job[]>): Promise<readonly Job[]> => {
    pages.push((await page).length);
    return page;
  };
  const { delayed, blocked } = broker;
  const listDelayed = delayed.list.bind(delayed);
  delayed.list = (query) => counted(listDelayed(query));
  const listBlocked = blocked.list.bind(blocked);
  blocked.list = (query) => counted(listBlocked(query));
  const listWaiting = broker.listWaiting.bind(broker);
  broker.listWaiting = (...query) => counted(listWaiting(...query));
  return { client, pages };
}

function idOf(n: number): string {
  return `m${String(n).padStart(2, "0")}`;
}

const IDS = Array.from({ length: 12 }, (_, n) => idOf(n));

test.each(["queued", "delayed", "blocked"] as const)(
  "a list of what is %s holds few of the jobs at a time where they are large, and is whole",
  async (state) => {
    const { client, pages } = await scene(state);
    const ids = async (limit: number): Promise<readonly string[]> =>
      (await client.jobs.list({ state, limit })).map(({ id }) => id).toSorted();
    expect(await ids(100)).toEqual(IDS);
    expect(Math.max(...pages)).toBe(5);
    expect(await ids(7)).toEqual(IDS.slice(0, 7));
    expect(Math.max(...pages)).toBe(5);
  },
);

test.each(["delayed", "blocked"] as const)(
  "a search of what is %s holds few of the jobs at a time where they are large",
  async (state) => {
    const { client, pages } = await scene(state);
    const found = await client.jobs.search({ state, where: "payload.text~yyy" });
    expect(found).toEqual({ jobs: [], looked: 12, more: false });
    expect(Math.max(...pages)).toBe(5);
  },
);
