import { type HistoryRecord, MillraceError } from "@millrace/core";
import { connect, createNode } from "millrace";
import { expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { indexJob, QUEUE } from "./index-job.ts";

const PRODUCERS = 8;
const LOAD_MS = 8_000;
/** With a second until one is let through, and what a busy machine adds. */
const LONGEST_GAP_MS = 5_000;

describeEachServer(
  "replace under a load that doesn't end",
  (server) => {
    /** Producers that enqueue the same key again as soon as they have been told. */
    async function hammered(fault: () => Promise<void>) {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const client = await connect(options);
      cleanUpLater(() => client.close());
      await client.queues.ensure(QUEUE);
      const job = indexJob({ onConflict: "replace" });
      const starts: number[] = [];
      const node = createNode({
        ...options,
        slots: 8,
        jobs: [job.handler(() => void starts.push(performance.now()))],
      });
      const made = await node;
      cleanUpLater(() => made.stop());
      await made.start();
      const told = new Map<string, string>();
      const from = performance.now();
      let version = 0;
      const hammer = async (): Promise<void> => {
        while (performance.now() - from < LOAD_MS) {
          version += 1;
          const id = `v${version}`;
          try {
            const { conflict } = await client.enqueue(job, { doc: "a", version }, { id });
            told.set(id, conflict?.kind === "replaced" ? conflict.id : "new");
          } catch (error) {
            // In an outage, and then nobody knows whether it is there.
            if (!MillraceError.is(error)) throw error;
          }
        }
      };
      const load = Promise.all(Array.from({ length: PRODUCERS }, hammer));
      await fault();
      await load;
      const ends = new Map<string, HistoryRecord>();
      await eventually(
        async () => {
          for (const id of told.keys()) {
            if (ends.has(id)) continue;
            const last = (await client.broker.history.read({ id, queue: QUEUE })).at(-1);
            if (last === undefined || last.state === "requeued") return false;
            ends.set(id, last);
          }
          return true;
        },
        { withinMs: 60_000, describe: "every job that was enqueued has ended" },
      );
      const gaps = [from, ...starts.filter((at) => at - from < LOAD_MS), from + LOAD_MS].map(
        (at, n, all) => at - (all[n - 1] ?? at),
      );
      return { longestGapMs: Math.max(...gaps), told, ends, starts };
    }

    test("a job of the key starts every few seconds, and what a producer was told is what happened", async () => {
      const { longestGapMs, told, ends, starts } = await hammered(async () => {});
      console.log(
        `${told.size} enqueued, ${starts.length} started, longest gap ${Math.round(longestGapMs)} ms`,
      );
      expect(longestGapMs).toBeLessThan(LONGEST_GAP_MS);
      const displaced = new Set([...told.values()].filter((id) => id !== "new"));
      for (const [id, { state }] of ends)
        expect([id, state]).toEqual([id, displaced.has(id) ? "cancelled" : "succeeded"]);
    }, 180_000);

    test("so it does when the server is killed meanwhile, and everything ends", async () => {
      const { longestGapMs, told, starts } = await hammered(async () => {
        await server.kill();
        await server.restart();
      });
      console.log(
        `${told.size} enqueued, ${starts.length} started, longest gap ${Math.round(longestGapMs)} ms`,
      );
      expect(longestGapMs).toBeLessThan(LONGEST_GAP_MS + 2_000);
    }, 180_000);
  },
  { singleServer: "an election alone takes longer than the gap that is allowed here" },
);
