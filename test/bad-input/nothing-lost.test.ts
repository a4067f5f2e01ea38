import { encode } from "@msgpack/msgpack";
import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { BAD_MESSAGES, GOOD } from "./bad-messages.ts";
import { bareClient, UNDISTURBED } from "../harness/bare-client.ts";
import { seededRandom, randomBody } from "./random-bodies.ts";
import { strictJob } from "./strict-job.ts";

const SEED = Number(process.env["MILLRACE_TEST_SEED"] ?? 20_261_124);
const RANDOM = 200;
const GOOD_JOBS = 100;

describeEachServer(
  "all of it at once",
  (server) => {
    it(`nothing is lost and nothing stops the node (seed ${SEED})`, async () => {
      const ran: string[] = [];
      const { node, broker, namespace } = await startNodeOnServer(server, {
        jobs: [strictJob("mixed", (id) => ran.push(id))],
        slots: 4,
      });
      const bare = await bareClient(server);
      const random = seededRandom(SEED);
      const good = Array.from({ length: GOOD_JOBS }, (_, i) => ({
        title: `good-${i}`,
        body: encode({ ...GOOD, id: `good-${i}` }),
        headers: {},
      }));
      const noise = Array.from({ length: RANDOM }, (_, i) => ({
        title: `random ${i}`,
        body: randomBody(random),
        headers: {},
      }));
      const all = [...good, ...noise, ...BAD_MESSAGES].toSorted(() => random() - 0.5);

      const sent = new Map<number, Uint8Array>();
      for (const { body, headers = {} } of all) {
        const ack = await bare.publish(`${namespace}.jobs.mixed`, body, headers);
        expect(ack.error).toBeUndefined();
        sent.set(ack.seq, body);
      }
      await eventually(async () => (await broker.queues.snapshot("mixed")).oldestAgeMs === 0, {
        withinMs: 60_000,
        describe: "an empty queue",
      });

      const letters = await broker.deadLetters.list({ limit: 10_000 });
      expect(sent.size).toBe(all.length);
      expect(ran.filter((id) => id.startsWith("good-")).toSorted()).toEqual(
        good.map(({ title }) => title).toSorted(),
      );
      expect(ran.length + letters.length).toBe(all.length);
      const bytes = (list: Iterable<Uint8Array>): string[] =>
        [...list].map((body) => Buffer.from(body).toString("base64")).toSorted();
      const unburied = bytes(letters.map(({ body }) => body));
      const expected = bytes(
        all.filter(({ title }) => !title.startsWith("good-")).map(({ body }) => body),
      );
      // Random bytes could in theory be a job that runs; none of this seed are.
      expect(unburied).toEqual(expected);
      expect(node.health()).toMatchObject({ ready: true, live: true, problems: [], running: 0 });
    });
  },
  { undisturbed: UNDISTURBED },
);
