import { encode } from "@msgpack/msgpack";
import { defineJob, type Envelope, UNSETTLED } from "@millrace/core";
import { beforeAll, expect, it } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { GOOD } from "./bad-messages.ts";
import { type BareClient, bareClient, UNDISTURBED } from "../harness/bare-client.ts";

const QUEUE = "odd";
/** Forgets ids at once. */
const BRIEF = "brief";

/**
 * Messages that look wrong and are not: what each adds to a good job, and what the handler then
 * sees.
 */
const TOLERATED: readonly {
  readonly title: string;
  readonly adds: object;
  readonly sees?: Partial<Envelope>;
  readonly lane?: string;
}[] = [
  {
    title: "attempts and errors that a producer forged",
    adds: {
      attempts: 99,
      generation: 7,
      crashes: 10,
      interruptions: 3,
      snoozes: 2,
      firstError: { type: "x", message: "y" },
    },
    sees: UNSETTLED,
  },
  {
    title: "forged fields of the wrong type",
    adds: { attempts: "many", lastError: 7 },
    sees: UNSETTLED,
  },
  { title: "a queue in the body", adds: { queue: "another" }, sees: { queue: QUEUE } },
  { title: "a start time that has passed", adds: { notBefore: 1 } },
  {
    title: "nulls for absent fields",
    adds: { notBefore: null, tags: null, maxAttempts: null, v: null, uniqueKey: null },
  },
  {
    title: "whole numbers as floats",
    adds: { maxAttempts: 3.0, timeoutMs: 30_000.0 },
    sees: { maxAttempts: 3, timeoutMs: 30_000 },
  },
  {
    title: "fields that nobody knows",
    adds: { colour: "green", "": 1, constructor: 2, toString: 3 },
  },
  { title: "the lane high", adds: {}, lane: ".high", sees: { lane: "high" } },
  { title: "an id as long as may be", adds: { id: "x".repeat(128) } },
];

describeEachServer(
  "what is odd but no error",
  (server) => {
    const seen = new Map<string, PromiseWithResolvers<Envelope>>();
    const runOf = (id: string): PromiseWithResolvers<Envelope> => {
      const known = seen.get(id) ?? Promise.withResolvers<Envelope>();
      seen.set(id, known);
      return known;
    };
    let served: NodeOnServer;
    let bare: BareClient;

    beforeAll(async () => {
      const job = defineJob({ name: GOOD.name, queue: QUEUE }).handler(({ job, attempt }) => {
        if (attempt === 1) runOf(job.id).resolve(job);
      });
      const brief = defineJob({ name: BRIEF, queue: BRIEF }).handler(() => {});
      served = await startNodeOnServer(server, { jobs: [job, brief] });
      await served.broker.queues.ensure(BRIEF, { dedupeWindowMs: 100 });
      bare = await bareClient(server);
    });

    it.each(TOLERATED)("$title", async ({ title, adds, sees = {}, lane = "" }) => {
      for (const format of ["msgpack", "json"] as const) {
        const id = `${TOLERATED.findIndex((one) => one.title === title)}-${format}`;
        const job = { ...GOOD, id, ...adds };
        const body = format === "msgpack" ? encode(job) : JSON.stringify(job);
        await bare.publish(`${served.namespace}.jobs.${QUEUE}${lane}`, body);
        const envelope = await within(runOf(job.id).promise, 20_000, `a run of ${job.id}`);
        expect(envelope).toMatchObject({ id: job.id, payload: GOOD.payload, ...sees });
        seen.delete(job.id);
      }
    });

    it("a JSON body with white space before it, or with an odd content type", async () => {
      await bare.publish(
        `${served.namespace}.jobs.${QUEUE}`,
        ` \n\t${JSON.stringify({ ...GOOD, id: "space" })}\n`,
      );
      await bare.publish(
        `${served.namespace}.jobs.${QUEUE}`,
        JSON.stringify({ ...GOOD, id: "type" }),
        { "Content-Type": "text/plain" },
      );
      await bare.publish(
        `${served.namespace}.jobs.${QUEUE}`,
        JSON.stringify({ ...GOOD, id: "type2" }),
        { "content-type": "APPLICATION/JSON" },
      );
      await within(
        Promise.all(["space", "type", "type2"].map((id) => runOf(id).promise)),
        10_000,
        "three runs",
      );
      expect(await served.broker.deadLetters.list()).toEqual([]);
    });

    it("an id used again under another message id: both run, and both ends are on record", async () => {
      const again = { id: "again", queue: QUEUE };
      const body = JSON.stringify({ ...GOOD, id: again.id });
      const sequences: number[] = [];
      for (const key of ["first", "second"]) {
        const ack = await bare.publish(`${served.namespace}.jobs.${QUEUE}`, body, {
          "Nats-Msg-Id": key,
        });
        sequences.push(ack.seq);
      }
      await eventually(
        async () => {
          const { queued, running } = await served.broker.queues.snapshot(QUEUE);
          return queued + running === 0;
        },
        { withinMs: 20_000, describe: "both are settled" },
      );
      const records = await served.broker.history.stored(again);
      const places = records.map(({ record }) => record.sequence ?? 0);
      expect(places.toSorted((a, b) => a - b)).toEqual(sequences);
    });

    it("an id used again once its queue has forgotten it: both run, and the history has both", async () => {
      const later = { id: "later", queue: BRIEF };
      const body = JSON.stringify({ ...GOOD, name: BRIEF, id: later.id });
      for (const count of [1, 2])
        await eventually(
          async () => {
            // Dropped as a duplicate until the queue has forgotten it.
            await bare.publish(`${served.namespace}.jobs.${BRIEF}`, body, {
              "Nats-Msg-Id": later.id,
            });
            return (await served.broker.history.read(later)).length >= count;
          },
          { withinMs: 20_000, describe: `${count} ends` },
        );
    });
  },
  { undisturbed: UNDISTURBED },
);
