import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineJob, type Envelope, type HistoryRecord } from "@millrace/core";
import { beforeAll, describe, expect, it } from "vitest";
import { connect } from "@nats-io/transport-node";
import { cleanUpLater } from "../harness/cleanup.ts";
import { clusterMode } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type Driver, type Reply, startDriver } from "./driver.ts";
import { matrixCases } from "./matrix-cases.ts";
import { type Language, toolchain } from "./toolchains.ts";

const QUEUE = "wire";
const FORMATS = ["msgpack", "json"] as const;
type Format = (typeof FORMATS)[number];

/** What any language's values must survive on the way there and back. */
const PAYLOAD = {
  text: "Zoë – 日本 🎉",
  whole: 3,
  negative: -70_000,
  large: 2 ** 53 - 1,
  half: 1.5,
  yes: true,
  nothing: null,
  list: [1, [2, []], "three"],
  map: { "": 0, "a.b": { c: {} } },
};
const UNDISTURBED = "clients of other languages don't send again what a dying leader was asked";
const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

interface Run {
  readonly job: Envelope;
  readonly at: number;
}

/** One foreign client against a real node on each server: the same cases for every language. */
export async function describeProducer(language: Language): Promise<void> {
  const chain = await toolchain(language);
  const title = chain.state === "ready" ? language.name : `${language.name}: ${chain.reason}`;
  describe.skipIf(chain.state === "missing")(title, () => {
    describeEachServer(
      "enqueues and reads results",
      (server) => {
        const runs: Run[] = [];
        let served: NodeOnServer;
        let driver: Driver;

        beforeAll(async () => {
          const echo = defineJob({ name: "wire.echo", queue: QUEUE }).handler(({ job, input }) => {
            runs.push({ job, at: Date.now() });
            return { got: input };
          });
          served = await startNodeOnServer(server, { jobs: [echo] });
          if (chain.state === "ready") driver = startDriver(chain.program, server.url);
        });

        const enqueue = (
          format: Format,
          job: object,
          headers: Readonly<Record<string, string>> = {},
          queue = QUEUE,
        ): Promise<Reply> =>
          driver.ask({
            do: "enqueue",
            namespace: served.namespace,
            queue,
            format,
            headers,
            job: { name: "wire.echo", payload: PAYLOAD, ...job },
          });
        // A leader that gives up its office by itself, as on a busy machine, leaves a moment
        // without an answer.
        const result = (id: string): Promise<Reply> =>
          eventually(
            async () => {
              const reply = await driver.ask({
                do: "result",
                namespace: served.namespace,
                queue: QUEUE,
                id,
              });
              const unheard =
                clusterMode() !== undefined && /no responders/.test(reply.error ?? "");
              return unheard ? undefined : reply;
            },
            { withinMs: 20_000, describe: `an answer to who asks for the result of ${id}` },
          );
        const runsOf = (id: string): readonly Run[] => runs.filter((run) => run.job.id === id);
        const records = (id: string): Promise<readonly HistoryRecord[]> =>
          served.broker.history.read({ id, queue: QUEUE });
        // Its age says nothing: of a job that has just come it is 0, too.
        const isQueueEmpty = async (): Promise<boolean> => {
          const { queued, running } = await served.broker.queues.snapshot(QUEUE);
          return queued + running === 0;
        };
        const SUCCESS = { state: "succeeded", output: { got: PAYLOAD }, attempts: 1 };

        matrixCases(
          {
            enqueue: (job, { lane, headers = {} } = {}) =>
              enqueue("msgpack", job, headers, lane === undefined ? QUEUE : `${QUEUE}.${lane}`),
            result,
          },
          { runsOf, records, isQueueEmpty },
        );

        it.each(FORMATS)("with an id, twice, as %s", async (format) => {
          const id = `twice-${format}`;
          const first = await enqueue(format, { id });
          expect(first).toEqual({
            stream: `${served.namespace}-queue-${QUEUE}`,
            sequence: expect.any(Number),
            duplicate: false,
          });
          expect(await enqueue(format, { id })).toEqual({ ...first, duplicate: true });
          expect(await result(id)).toEqual(SUCCESS);
          // What came after it in the queue has run, so a second run of it would have begun.
          await enqueue(format, { id: `${id}-after` });
          expect(await result(`${id}-after`)).toEqual(SUCCESS);
          expect(runsOf(id)).toHaveLength(1);
          expect(runsOf(id)[0]?.job.payload).toEqual(PAYLOAD);
        });

        it.each(FORMATS)("without an id, as %s", async (format) => {
          const { sequence, error } = await enqueue(format, {});
          expect(error).toBeUndefined();
          expect(await result(`${QUEUE}-${sequence}`)).toEqual(SUCCESS);
        });

        it.each(FORMATS)("with the id in the header alone, as %s", async (format) => {
          const id = `header-${format}`;
          await enqueue(format, {}, { "Nats-Msg-Id": id });
          expect(await result(id)).toEqual(SUCCESS);
        });

        it.each(FORMATS)(
          "headers reach the handler, whatever their case, as %s",
          async (format) => {
            const id = `headers-${format}`;
            const headers = {
              "X-Tenant": "acme: north",
              TraceParent: TRACE,
              "Content-Type":
                format === "json" ? "application/json; charset=utf-8" : "application/msgpack",
              "Millrace-Attempts": "7",
            };
            await enqueue(format, { id }, headers);
            expect(await result(id)).toEqual(SUCCESS);
            expect(runsOf(id)[0]?.job.headers).toEqual({
              "x-tenant": "acme: north",
              traceparent: TRACE,
            });
          },
        );

        it.each(FORMATS)("with a delay, as %s", async (format) => {
          const id = `delayed-${format}`;
          const notBefore = Date.now() + 1_200;
          await enqueue(format, { id, notBefore }, { "X-Tenant": "acme" });
          // The client reads the record that the job was put off, and waits on for its end.
          expect(await result(id)).toEqual(SUCCESS);
          expect(runsOf(id)).toHaveLength(1);
          expect(runsOf(id)[0]?.at).toBeGreaterThanOrEqual(notBefore);
          expect(runsOf(id)[0]?.job.headers).toEqual({ "x-tenant": "acme" });
          const seen = await records(id);
          expect(seen.map(({ outcome }) => outcome)).toEqual(["deferred", "succeeded"]);
        });

        it("a time that has passed means at once", async () => {
          await enqueue("msgpack", { id: "past", notBefore: Date.now() - 60_000 });
          expect(await result("past")).toEqual(SUCCESS);
          const [only, ...more] = await records("past");
          expect(only?.outcome).toBe("succeeded");
          expect(more).toEqual([]);
        });

        it("an expired job is no job any more", async () => {
          await enqueue("msgpack", { id: "late", expiresAt: Date.now() - 1 });
          expect(await result("late")).toMatchObject({ state: "expired", attempts: 0 });
          expect(runsOf("late")).toEqual([]);
        });

        it("a queue that does not exist is an error of the client", async () => {
          const { error } = await enqueue("msgpack", { id: "nowhere" }, {}, "nowhere");
          expect(error).toMatch(/503|no response from stream|no responders|no stream found/i);
        });

        it("leaves nothing behind", async () => {
          await eventually(isQueueEmpty, {
            withinMs: 20_000,
            describe: "an empty queue",
          });
          const dead = await served.broker.deadLetters.list();
          expect(dead.map(({ id, reason }) => [id, reason])).toEqual([["late", "expired"]]);
        });
      },
      { undisturbed: UNDISTURBED },
    );

    describeEachServer(
      "needs no more permissions than the page says",
      (server) => {
        it("enqueues and reads the result, and can't use the runtime's subjects", async () => {
          const echo = defineJob({ name: "wire.echo", queue: QUEUE }).handler(({ input }) => input);
          await startNodeOnServer(server, { namespace: NAMESPACE, jobs: [echo] });
          if (chain.state === "missing") return;
          const url = server.url.replace("nats://", "nats://producer:secret@");
          const driver = startDriver(chain.program, url);
          const enqueue = (queue: string, namespace = NAMESPACE): Promise<Reply> =>
            driver.ask({
              do: "enqueue",
              namespace,
              queue,
              format: "json",
              headers: {},
              job: { name: "wire.echo", payload: 7, id: "allowed" },
            });
          expect(await enqueue(QUEUE)).toMatchObject({ duplicate: false });
          const result = {
            do: "result",
            namespace: NAMESPACE,
            queue: QUEUE,
            id: "allowed",
          } as const;
          expect(await driver.ask(result)).toEqual({ state: "succeeded", output: 7, attempts: 1 });
          const nc = await connect({ servers: server.url, user: "producer", pass: "secret" });
          cleanUpLater(() => nc.close());
          for (const owned of ["requeue", "delayed", "due", "dead", "history"]) {
            const publish = nc.request(`${NAMESPACE}.${owned}.${QUEUE}.x`, "", { timeout: 5_000 });
            await expect(publish).rejects.toThrow(/permissions violation/i);
          }
        });
      },
      { config: restricted(), undisturbed: UNDISTURBED },
    );
  });
}

const NAMESPACE = "millrace";

/** The permissions of docs/wire-protocol.md, for everyone but the node. */
function restricted(): string {
  const [, listed = ""] =
    /## Permissions of a producer\n(.*?)Leave out/s.exec(
      readFileSync(resolve(import.meta.dirname, "../../docs/wire-protocol.md"), "utf8"),
    ) ?? [];
  const subjects = [...listed.matchAll(/`([^`]+)`/g)].map(([, subject = ""]) =>
    subject.replace("<ns>", NAMESPACE),
  );
  const publish = subjects.filter((subject) => subject !== "_INBOX.>");
  return `authorization { users: [
  { user: node, password: node }
  { user: producer, password: secret, permissions: { publish: ${JSON.stringify(publish)}, subscribe: ["_INBOX.>"] } }
] }
no_auth_user: node`;
}
