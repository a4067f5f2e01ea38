import { defineJob, type Envelope, UNSETTLED } from "@millrace/core";
import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const WINDOW_MS = 1_000;

const first = defineJob({ name: "first", queue: "firsts", retry: "none" });
const second = defineJob({ name: "second", queue: "seconds", retry: "none" });

describeEachServer("a chain that is enqueued again under its id", (server) => {
  it.each(["still runs", "has ended", "has ended, and a server was killed"])(
    "goes on, where its next job comes within the dedupe window of the first one's, which %s",
    async (how) => {
      const went = Promise.withResolvers<void>();
      const ran: string[] = [];
      const { broker } = await startNodeOnServer(server, {
        name: "n",
        queues: { firsts: { settings: { dedupeWindowMs: WINDOW_MS } } },
        jobs: [
          first.handler(({ input }) => input),
          second.handler(async ({ input }) => {
            ran.push(String(input));
            if (how === "still runs" && input === "monday") await went.promise;
          }),
        ],
      });
      const enqueue = async (payload: string): Promise<boolean> => {
        const job: Envelope = {
          ...UNSETTLED,
          ...{ id: "daily", name: "first", queue: "firsts", payload, createdAt: 1, headers: {} },
          next: [{ id: "daily:2", name: "second", queue: "seconds" }],
        };
        const [result] = await broker.enqueue([job]);
        return result?.ok === true && !result.duplicate;
      };
      const ends = async (): Promise<number> =>
        (await broker.history.stored({ queue: "seconds", id: "daily:2" })).length;
      const within = { withinMs: 20_000 };
      expect(await enqueue("monday")).toBe(true);
      const confirmedAt = performance.now();
      await eventually(
        async () => ran.length === 1 && (how === "still runs" || (await ends()) === 1),
        {
          ...within,
          describe: `the first one's next job ${how}`,
        },
      );
      // It forgets the ids of what has left: nothing but the job itself tells it from the first.
      if (how.includes("killed")) {
        await server.kill();
        await server.restart();
        await eventually(() => performance.now() > confirmedAt + WINDOW_MS, {
          ...within,
          describe: "the window of the first job has passed",
        });
      }
      await eventually(() => enqueue("tuesday"), {
        ...within,
        describe: "the queue has forgotten the chain",
      });
      await eventually(() => ran.length === 2, { ...within, describe: "the second one goes on" });
      went.resolve();
      await eventually(async () => (await ends()) === 2, {
        ...within,
        describe: "both have an end on record",
      });
      expect(ran).toEqual(["monday", "tuesday"]);
    },
  );
});
