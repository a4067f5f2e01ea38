import { join } from "node:path";
import { connectBroker } from "@millrace/broker-nats";
import { expect, it } from "vitest";
import { bareClient, publishRaw, UNDISTURBED } from "../harness/bare-client.ts";
import { startChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { WORST_MEGABYTES } from "./worst-megabytes.ts";

const PROGRAM = join(import.meta.dirname, "small-heap-program.ts");
/** Of those that are refused; the others are read twice and written once, which takes a while. */
const COPIES = 16;
const RUNNING_COPIES = 3;
const OTHERS = 50;

describeEachServer(
  "a node with a heap of 256 MB",
  (server) => {
    it("lives through sixteen of each of the worst megabytes at once, and other jobs go on", async () => {
      const namespace = server.namespace();
      const broker = await connectBroker({ servers: server.url, namespace });
      cleanUpLater(() => broker.close());
      for (const queue of ["worst", "others"]) await broker.queues.ensure(queue);
      const bare = await bareClient(server);
      // All of it waits when the node comes: its first pull brings as much as there are slots.
      for (const { body, headerBlock, title, ends } of WORST_MEGABYTES) {
        const subject = `${namespace}.jobs.worst`;
        const copies = Array.from(
          { length: ends === "dead" ? COPIES : RUNNING_COPIES },
          async () => {
            if (headerBlock !== undefined) await publishRaw(server, subject, headerBlock, body);
            else
              expect([title, (await bare.publish(subject, body)).error]).toEqual([
                title,
                undefined,
              ]);
          },
        );
        await Promise.all(copies);
      }
      for (let i = 0; i < OTHERS; i += 1)
        await bare.publish(
          `${namespace}.jobs.others`,
          JSON.stringify({ name: "other", payload: i, id: `other-${i}` }),
        );

      const child = startChild(PROGRAM, {
        args: [server.url, namespace, "16"],
        nodeOptions: ["--max-old-space-size=256"],
      });
      await child.line(/^ready/, 90_000);
      let death: unknown;
      void child.exited.then((exit) => (death = exit));
      const isEmpty = async (queue: string): Promise<boolean> => {
        expect([death, child.output().slice(-30)]).toEqual([undefined, expect.anything()]);
        return (await broker.queues.snapshot(queue)).oldestAgeMs === 0;
      };
      await eventually(() => isEmpty("others"), { withinMs: 60_000, describe: "others go on" });
      await eventually(() => isEmpty("worst"), { withinMs: 180_000, describe: "all have ended" });

      const letters = await broker.deadLetters.list({ queue: "worst", limit: 10_000 });
      const expected = WORST_MEGABYTES.filter(({ ends }) => ends === "dead").length * COPIES;
      expect(letters).toHaveLength(expected);
      expect(new Set(letters.map(({ reason }) => reason))).toEqual(
        new Set(["undecodable", "invalid-envelope"]),
      );
      const ran = letters.filter(({ attempts }) => attempts > 0);
      expect(ran).toEqual([]);
      expect(death).toBeUndefined();
    }, 240_000);
  },
  { undisturbed: UNDISTURBED },
);
