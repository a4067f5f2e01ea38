import { defineJob, type Envelope, UNSETTLED } from "@millrace/core";
import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const WINDOW_MS = 1_000;

/** Each enqueue's first attempt fails. */
const flaky = defineJob({
  ...{ name: "flaky", queue: "q" },
  retry: { attempts: 2, backoff: "fixed", base: "10ms" },
});

describeEachServer("an id that is used again when its queue has forgotten it", (server) => {
  it.each(["with a time of its own", "with the same time of creation"])(
    "is another job's, whose retry is no duplicate of the first one's (%s)",
    async (how) => {
      const ran: string[] = [];
      const { broker } = await startNodeOnServer(server, {
        name: "n",
        queues: { q: { settings: { dedupeWindowMs: WINDOW_MS } } },
        jobs: [
          flaky.handler(({ input, attempt }) => {
            ran.push(`${String(input)} ${attempt}`);
            if (attempt === 1) throw new Error("the first attempt fails");
          }),
        ],
      });
      const enqueue = async (payload: string, createdAt: number): Promise<boolean> => {
        const job: Envelope = {
          ...UNSETTLED,
          ...{ id: "daily", name: "flaky", queue: "q", payload, createdAt, headers: {} },
        };
        const [result] = await broker.enqueue([job]);
        return result?.ok === true && !result.duplicate;
      };
      const ended = (run: string): Promise<unknown> =>
        eventually(() => ran.includes(run), { withinMs: 20_000, describe: `${run} runs` });
      expect(await enqueue("first", 1)).toBe(true);
      await ended("first 2");
      await eventually(() => enqueue("second", how.includes("same") ? 1 : 2), {
        withinMs: 20_000,
        describe: "the queue has forgotten the id",
      });
      await ended("second 2");
      const ends = async (): Promise<number> =>
        (await broker.history.stored({ queue: "q", id: "daily" })).filter(
          ({ record }) => record.state === "succeeded",
        ).length;
      await eventually(async () => (await ends()) === 2, {
        withinMs: 20_000,
        describe: "both ends are on record",
      });
      expect(ran).toEqual(["first 1", "first 2", "second 1", "second 2"]);
    },
  );
});
