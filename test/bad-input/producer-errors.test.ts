import { defineJob, type Envelope, fatal, type MillraceError, UNSETTLED } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { GOOD } from "./bad-messages.ts";
import { bareClient, UNDISTURBED } from "../harness/bare-client.ts";
import { strictJob } from "./strict-job.ts";

const envelope = (id: string, queue: string, more: Partial<Envelope> = {}): Envelope => ({
  ...UNSETTLED,
  ...GOOD,
  id,
  queue,
  createdAt: Date.now(),
  headers: {},
  ...more,
});

describeEachServer(
  "what a producer is told",
  (server) => {
    it("a queue that does not exist", async () => {
      const { broker, namespace, node } = await startNodeOnServer(server, {
        jobs: [strictJob("here")],
      });
      const bare = await bareClient(server);
      await expect(bare.publish(`${namespace}.jobs.nowhere`, JSON.stringify(GOOD))).rejects.toThrow(
        /no responders/i,
      );
      await expect(bare.publish(`other.jobs.here`, JSON.stringify(GOOD))).rejects.toThrow(
        /no responders/i,
      );
      const [bad, good] = await broker.enqueue([envelope("a", "nowhere"), envelope("b", "here")]);
      expect(bad).toMatchObject({ ok: false, id: "a", error: { code: "queue-not-found" } });
      expect(good).toMatchObject({ ok: true, id: "b" });
      expect(node.health().ready).toBe(true);
    });

    it("a message larger than the queue takes, and than the server takes", async () => {
      const { broker, namespace, node } = await startNodeOnServer(server, {
        jobs: [strictJob("large")],
      });
      const bare = await bareClient(server);
      const subject = `${namespace}.jobs.large`;
      const limit = 1_048_576 - 8_192;
      expect(await bare.publish(subject, new Uint8Array(limit + 1))).toMatchObject({
        error: { code: 400, err_code: 10_054, description: "message size exceeds maximum allowed" },
      });
      await expect(bare.publish(subject, new Uint8Array(1_048_577))).rejects.toThrow(/payload/i);
      for (const size of [limit, 1_048_577, 5_000_000]) {
        const [result] = await broker.enqueue([
          envelope(`big-${size}`, "large", { payload: { to: "x".repeat(size) } }),
        ]);
        expect(result).toMatchObject({ ok: false, error: { code: "payload-too-large" } });
      }
      // As large as a bare client can send: too large to be retried, not to be buried with all its
      // bytes.
      const filled = { name: "nobody", payload: "", id: "filled" };
      filled.payload = "x".repeat(limit - JSON.stringify(filled).length - 100);
      const body = JSON.stringify(filled);
      expect((await bare.publish(subject, body)).error).toBeUndefined();
      const letter = await eventually(
        async () => (await broker.deadLetters.list({ id: "filled" }))[0],
        { withinMs: 20_000, describe: "the dead letter" },
      );
      expect(letter.reason).toBe("unknown-name");
      expect(Buffer.from(letter.body).toString()).toBe(body);
      expect(node.health().ready).toBe(true);
    });

    it("a payload that can't be sent", async () => {
      const { broker } = await startNodeOnServer(server, { jobs: [strictJob("plain")] });
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      let deep: unknown = 1;
      for (let i = 0; i < 10_000; i += 1) deep = [deep];
      for (const payload of [() => 1, { f: Symbol("s") }, 10n, cycle, deep]) {
        const [result] = await broker.enqueue([envelope("u", "plain", { payload })]);
        expect(result).toMatchObject({ ok: false, error: { code: "unserializable-payload" } });
      }
    });

    it("a full queue: refused, nothing dropped, and all that was confirmed runs", async () => {
      const gate = Promise.withResolvers<void>();
      const ran: string[] = [];
      const long = defineJob({ name: GOOD.name, queue: "full" }).handler(async ({ job }) => {
        await gate.promise;
        ran.push(job.id);
      });
      const { broker, namespace, node } = await startNodeOnServer(server, {
        jobs: [long],
        slots: 2,
        queues: { full: { settings: { maxJobs: 10 } } },
      });
      const bare = await bareClient(server);
      const confirmed: string[] = [];
      const publish = async (id: string): Promise<void> => {
        const ack = await bare.publish(`${namespace}.jobs.full`, JSON.stringify({ ...GOOD, id }), {
          "Nats-Msg-Id": id,
        });
        if (ack.error === undefined) confirmed.push(id);
        else
          expect(ack.error).toEqual({
            code: 503,
            err_code: 10_077,
            description: "maximum messages exceeded",
          });
      };
      for (let i = 0; i < 15; i += 1) await publish(`f${i}`);
      expect(confirmed).toEqual(Array.from({ length: 10 }, (_, i) => `f${i}`));
      const [ours] = await broker.enqueue([envelope("ours", "full")]);
      expect(ours).toMatchObject({ ok: false, error: { code: "queue-full" } });
      const again = await bare.publish(
        `${namespace}.jobs.full`,
        JSON.stringify({ ...GOOD, id: "f3" }),
        { "Nats-Msg-Id": "f3" },
      );
      expect(again.duplicate).toBe(true);
      const allDone = settlements(node, 10);
      gate.resolve();
      await within(allDone, 20_000, () => `ten runs; there were ${ran.join(", ")}`);
      expect(ran.toSorted()).toEqual(confirmed.toSorted());
      await publish("f10");
      expect(confirmed).toContain("f10");
    });

    it("jobs that fail on a full queue are retried all the same", async () => {
      const gate = Promise.withResolvers<void>();
      const ran: string[] = [];
      const retry = { attempts: 2, backoff: "none" } as const;
      const failing = defineJob({ name: GOOD.name, queue: "stuck", retry }).handler(
        async ({ job, attempt }) => {
          await gate.promise;
          if (attempt === 1) throw new Error("first time");
          ran.push(job.id);
        },
      );
      const { broker, namespace } = await startNodeOnServer(server, {
        jobs: [failing],
        slots: 2,
        queues: { stuck: { settings: { maxJobs: 4 } } },
      });
      const bare = await bareClient(server);
      for (const id of ["a", "b", "c", "d"]) {
        expect(
          (await bare.publish(`${namespace}.jobs.stuck`, JSON.stringify({ ...GOOD, id }))).error,
        ).toBeUndefined();
      }
      expect(
        (await bare.publish(`${namespace}.jobs.stuck`, JSON.stringify(GOOD))).error?.err_code,
      ).toBe(10_077);
      gate.resolve();
      await eventually(() => ran.length === 4, {
        withinMs: 20_000,
        describe: () => `second attempts of four; there were ${ran.join(", ")}`,
      });
      expect(ran.toSorted()).toEqual(["a", "b", "c", "d"]);
      expect(await broker.deadLetters.list()).toEqual([]);
    });

    it("names that no queue can have", async () => {
      const { broker } = await startNodeOnServer(server, { jobs: [strictJob("names")] });
      for (const queue of ["", "a.b", "a b", "a*", ">", "ü", "x".repeat(65)]) {
        const error: MillraceError = await broker.queues.ensure(queue).then(
          () => {
            throw new Error(`${queue} was taken`);
          },
          (reason: MillraceError) => reason,
        );
        expect(error.code).toBe("invalid-name");
      }
      expect(() => defineJob({ name: "a b" })).toThrow(
        expect.objectContaining({ code: "invalid-name" }),
      );
      expect(() => defineJob({ name: "ok", queue: "a.b" })).toThrow(
        expect.objectContaining({ code: "invalid-name" }),
      );
    });
  },
  { undisturbed: UNDISTURBED },
);

/** An account and a server whose storage is used up. The queue itself has no limit. */
const STORAGE = [
  {
    what: "the account's storage",
    config: `accounts { A { jetstream { max_file: 8MB }, users: [ { user: a, password: a } ] } }
no_auth_user: a`,
    refusal: { code: 400, err_code: 10_002, description: "resource limits exceeded for account" },
  },
];

describe.each(STORAGE)("$what is used up", ({ config, refusal }) => {
  describeEachServer(
    "a producer is told, and what was confirmed runs",
    (server) => {
      it("with the same refusal for every client", async () => {
        const gate = Promise.withResolvers<void>();
        const ran: string[] = [];
        const long = defineJob({ name: "long", queue: "store" }).handler(async ({ job }) => {
          await gate.promise;
          ran.push(job.id);
        });
        const { broker, namespace } = await startNodeOnServer(server, { jobs: [long], slots: 1 });
        const bare = await bareClient(server);
        const confirmed: string[] = [];
        const payload = "x".repeat(900_000);
        for (let i = 0; ; i += 1) {
          const body = JSON.stringify({ name: "long", payload, id: `s${i}` });
          const ack = await bare.publish(`${namespace}.jobs.store`, body);
          if (ack.error === undefined) confirmed.push(`s${i}`);
          else {
            expect(ack.error).toEqual(refusal);
            break;
          }
        }
        expect(confirmed.length).toBeGreaterThan(2);
        const [ours] = await broker.enqueue([envelope("ours", "store", { payload })]);
        expect(ours).toMatchObject({ ok: false, error: { code: "broker-unavailable" } });
        gate.resolve();
        await eventually(() => ran.length === confirmed.length, {
          withinMs: 20_000,
          describe: () => `runs of ${confirmed.join(", ")}; there were ${ran.join(", ")}`,
        });
        expect(ran.toSorted()).toEqual(confirmed.toSorted());
        await eventually(async () => (await broker.queues.snapshot("store")).oldestAgeMs === 0, {
          withinMs: 20_000,
          describe: "an empty queue",
        });
        const [later] = await broker.enqueue([
          envelope("later", "store", { payload, name: "long" }),
        ]);
        expect(later).toMatchObject({ ok: true });
      });
    },
    {
      config,
      singleServer:
        "members tell each other late what an account uses; it is overshot, and no record has room",
    },
  );
});

describeEachServer(
  "what becomes of a job that grew",
  (server) => {
    it("a job too large to be retried is buried with its bytes", async () => {
      const failing = defineJob({
        name: "grow",
        queue: "grow",
        retry: { attempts: 3, backoff: "none" },
      }).handler(() => {
        throw new Error("e".repeat(2_000));
      });
      const quick = defineJob({ name: "quick", queue: "grow" }).handler(() => fatal("at once"));
      const { broker, namespace } = await startNodeOnServer(server, { jobs: [failing, quick] });
      const bare = await bareClient(server);
      for (const name of ["grow", "quick"]) {
        const job = { name, payload: "", id: name };
        job.payload = "x".repeat(1_048_576 - 8_192 - JSON.stringify(job).length - 10);
        const body = JSON.stringify(job);
        expect((await bare.publish(`${namespace}.jobs.grow`, body)).error).toBeUndefined();
        const letter = await eventually(
          async () => (await broker.deadLetters.list({ id: name }))[0],
          { withinMs: 20_000, describe: "the dead letter" },
        );
        expect(letter.reason).toBe(name === "grow" ? "payload-too-large" : "fatal");
        expect(Buffer.from(letter.body).equals(Buffer.from(body))).toBe(true);
      }
    });
  },
  { undisturbed: UNDISTURBED },
);

function settlements(
  node: { readonly events: { on(name: "job.settled", listener: () => void): unknown } },
  count: number,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  let left = count;
  node.events.on("job.settled", () => {
    left -= 1;
    if (left === 0) done.resolve();
  });
  return done.promise;
}
