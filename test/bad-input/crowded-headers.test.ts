import { context, propagation } from "@opentelemetry/api";
import { telemetry } from "@millrace/telemetry/tracing";
import { connect, defineJob } from "millrace";
import { expect, it } from "vitest";
import { publishRaw, UNDISTURBED } from "../harness/bare-client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { recordSpansInMemory } from "../harness/sdk-spans.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "crowded";
/** Of 65,535 that the server stores with a message. */
const ALMOST_ALL = 65_400;

describeEachServer(
  "headers that take nearly all that a message may have",
  (server) => {
    it("are cut in the dead letter, and hold no slot of the queue", async () => {
      const served = await startNodeOnServer(server, {
        jobs: [defineJob({ name: "crowded", queue: QUEUE }).handler(() => 1)],
        queues: { [QUEUE]: { slots: 2 } },
      });
      const dead = theDead(served, 3);
      const subject = `${served.namespace}.jobs.${QUEUE}`;
      const job = Buffer.from(JSON.stringify({ name: "crowded", payload: 1 }));
      for (const body of [Buffer.from("no job"), Buffer.from("nor this"), job])
        await publishRaw(server, subject, block(ALMOST_ALL), body);
      await within(dead, 20_000, "the deaths of all three");
      const letters = await served.broker.deadLetters.list({ queue: QUEUE });
      expect(letters.map(({ reason }) => reason).sort()).toEqual([
        "invalid-envelope",
        "undecodable",
        "undecodable",
      ]);
      for (const { headers } of letters) expect(Object.keys(headers).length).toBeGreaterThan(50);
      expect(served.node.health()).toMatchObject({ ready: true, running: 0 });
    });

    it("are not taken from a producer; those that are travel through a delayed retry into a dead letter, all of them, traced with baggage", async () => {
      const recorded = recordSpansInMemory();
      cleanUpLater(() => recorded.stop());
      const retry = { attempts: 2, backoff: "fixed", base: "1500ms" } as const;
      const job = defineJob({ name: "crowded", queue: QUEUE, retry });
      const instrumentation = telemetry();
      const fail = (): never => {
        throw new Error("as it should");
      };
      const served = await startNodeOnServer(server, {
        jobs: [job.handler(fail)],
        instrumentation,
      });
      const dead = theDead(served, 1);
      const { namespace } = served;
      const millrace = await connect({ servers: server.url, namespace, instrumentation });
      cleanUpLater(() => millrace.close());
      const enqueue = (bytes: number): Promise<unknown> =>
        context.with(withBaggage(), () => millrace.enqueue(job, {}, { headers: linesOf(bytes) }));
      await expect(enqueue(60_000)).rejects.toMatchObject({ code: "invalid-option" });
      await enqueue(40_960);
      await within(dead, 20_000, "the death of the job");
      const [letter] = await served.broker.deadLetters.list({ queue: QUEUE });
      expect(letter).toMatchObject({ reason: "attempts-exhausted", attempts: 2 });
      expect(letter?.headers).toMatchObject(linesOf(40_960));
    });
  },
  { undisturbed: UNDISTURBED },
);

function theDead({ node }: NodeOnServer, count: number): Promise<void> {
  const all = Promise.withResolvers<void>();
  let dead = 0;
  node.events.on("job.settled", ({ state }) => {
    if (state === "dead" && ++dead === count) all.resolve();
  });
  return all.promise;
}

/** Sixty headers that take so many bytes of a message. */
function linesOf(bytes: number): Record<string, string> {
  const each = Math.floor(bytes / 60);
  const valueOf = (index: number): string =>
    "v".repeat(each - 8 + (index === 0 ? bytes - 60 * each : 0));
  return Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [
      `x-${String(index).padStart(2, "0")}`,
      valueOf(index),
    ]),
  );
}

function block(bytes: number): string {
  const lines = Object.entries(linesOf(bytes - 12));
  return lines.map(([name, value]) => `${name}: ${value}`).join("\r\n");
}

function withBaggage(): ReturnType<typeof context.active> {
  let baggage = propagation.createBaggage();
  for (let index = 0; index < 60; index++)
    baggage = baggage.setEntry(`user${index}`, { value: "x".repeat(100) });
  return propagation.setBaggage(context.active(), baggage);
}
