import { headers as newHeaders } from "@nats-io/nats-core";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { machineKey, MACHINES_BUCKET, type MachineRef, readMachine } from "@millrace/core";
import { connect, createNode, defineJob, defineMachine, machineAddress } from "millrace";
import { expect, it } from "vitest";
import { assign, type PromiseActorLogic, sendTo, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { asRole, passwordServer } from "../permissions/roles.ts";

const quote = defineJob<null, null, unknown>({ name: "mail.quote", queue: "mail" });
const forged = defineJob({ name: "mail.forged", queue: "mail" });
const plain = defineJob<unknown>({ name: "mail.plain", queue: "mail" });

/** Asks for a quote, whose job lies in a queue that the producer may use; a timer ends it. */
const chart = setup({
  types: {
    context: {} as { quote: unknown },
    events: {} as { type: "CLOSE" } | { type: "GO" } | { type: "FORWARD"; to: MachineRef },
  },
  actors: { quote: {} as PromiseActorLogic<unknown, null> },
}).createMachine({
  context: { quote: null },
  initial: "open",
  states: {
    open: {
      on: {
        ...{ GO: "asking", CLOSE: "closed" },
        // To whatever address the event names.
        FORWARD: {
          actions: sendTo(({ event: { to } }) => machineAddress(to.machine, to.id), {
            type: "CLOSE",
          }),
        },
      },
    },
    asking: {
      invoke: {
        src: "quote",
        input: null,
        onDone: {
          target: "quoted",
          actions: assign({ quote: ({ event }) => event.output }),
        },
        onError: "refused",
      },
      after: { 3_600_000: "late" },
      on: { CLOSE: "closed" },
    },
    quoted: { type: "final" },
    refused: { type: "final" },
    late: { type: "final" },
    closed: { type: "final" },
  },
});
/** The machine whose events the producer may send, and one of others. */
const order = defineMachine({ name: "order", machine: chart, jobs: { quote }, sendsTo: ["order"] });
const invoice = defineMachine({
  ...{ name: "invoice", machine: chart, jobs: { quote }, sendsTo: ["order"] },
});

async function open(server: TestServer) {
  const connection = { servers: server.url, user: "operator", password: "operator" };
  const operator = await connect(connection);
  cleanUpLater(() => operator.close());
  const gate = Promise.withResolvers<void>();
  const node = await createNode({
    ...{ servers: server.url, user: "node", password: "node" },
    machines: [order, invoice],
    jobs: [
      quote.handler(async () => {
        await gate.promise;
        return "the real one";
      }),
      forged.handler(() => "forged"),
      plain.handler(() => "plain"),
    ],
  });
  await node.start();
  cleanUpLater(() => node.stop());
  const documents = await operator.broker.documents(MACHINES_BUCKET);
  const read = async (of: MachineRef) => readMachine((await documents.get(machineKey(of)))?.value);
  return { operator, release: gate.resolve, read, shop: await asRole(server, "shop") };
}

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly reply?: string;
}

/** What answers a producer: an acknowledgement with or without an error. */
async function answerTo(shop: NatsConnection, subject: string, body: string, sent: Sent = {}) {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(sent.headers ?? {})) headers.set(name, value);
  const ack = await shop.request(subject, body, { timeout: 20_000, headers });
  return ack.json<{ error?: { description: string }; seq?: number }>();
}

const APPROVED = '{"type":"CLOSE"}';

describeEachServer(
  "a producer that may send events to one kind of machine",
  (server) => {
    it("can't start, send to, end, tick, remove or read another, nor read its own", async () => {
      const { operator, release, read, shop } = await open(server);
      const theirs = operator.machine(invoice, "i-1");
      await theirs.start();
      await theirs.send({ type: "GO" });
      await theirs.waitFor((one) => one.matches("asking"), { timeout: "1m" });
      const own = operator.machine(order, "o-1");
      await answerTo(shop, "millrace.inbox.order.o-1", "", {
        headers: { "Millrace-Machine": "start" },
      });
      await own.waitFor((one) => one.matches("open"), { timeout: "1m" });
      const before = await read(theirs);

      const closed = [
        ...["inbox.invoice.i-1", "inbox.invoice.i-2", "inbox.order", "inbox.invoice"],
        ...["mend", "mtick", "mtimer"].flatMap((door) => [
          `${door}.invoice.i-1`,
          `${door}.order.o-1`,
        ]),
        ...["jobs.payroll", "requeue.mail", "requeue.mail.program"],
      ].map((subject) => `millrace.${subject}`);
      const stored = ["KV_millrace-machines", "millrace-inbox", "millrace-timers"];
      const api = stored.flatMap((stream) => [
        ...[`STREAM.MSG.GET.${stream}`, `STREAM.MSG.DELETE.${stream}`, `STREAM.PURGE.${stream}`],
        ...[`STREAM.UPDATE.${stream}`, `STREAM.DELETE.${stream}`, `STREAM.INFO.${stream}`],
        ...[`DIRECT.GET.${stream}`, `CONSUMER.CREATE.${stream}`, `CONSUMER.LIST.${stream}`],
      ]);
      const documents = ["invoice.i-1", "order.o-1"].flatMap((key) => [
        `$KV.millrace-machines.${key}`,
        `$JS.API.DIRECT.GET.KV_millrace-machines.$KV.millrace-machines.${key}`,
      ]);
      const refused = [...closed, ...documents, ...api.map((one) => `$JS.API.${one}`)];
      for (const subject of refused)
        await expect(shop.request(subject, APPROVED), subject).rejects.toThrow(
          /permissions violation/i,
        );
      for (const subject of [
        ...["millrace.inbox.>", "millrace.inbox.order.o-1", "millrace.mend.>", "millrace.mtick.>"],
        ...["millrace.mtimer.>", "$KV.millrace-machines.>", "$JS.ACK.>"],
      ]) {
        const refusal = new Promise<string>((resolve) => {
          shop.subscribe(subject, { callback: (error) => void (error && resolve(error.message)) });
        });
        expect(await within(refusal, 20_000, subject)).toMatch(/permissions violation/i);
      }

      // An acknowledgement that is sent where it would do something.
      for (const reply of [
        ...["millrace.inbox.invoice.i-1", "millrace.mend.invoice.i-1", "millrace.mtick.order.o-1"],
        ...["$KV.millrace-machines.invoice.i-1", "$KV.millrace-machines.order.o-1"],
        "$JS.API.STREAM.PURGE.millrace-inbox",
      ])
        shop.publish("millrace.inbox.order.o-1", '{"type":"NOTHING"}', { reply });
      await answerTo(shop, "millrace.inbox.order.o-1", '{"type":"LAST"}', {
        headers: { "Millrace-Event-Id": "last" },
      });
      await own.waitFor(({ trail }) => trail.at(-1)?.event === "LAST", { timeout: "1m" });
      expect(await read(theirs)).toEqual(before);
      release();
      expect(await theirs.waitFor((one) => one.matches("quoted"), { timeout: "1m" })).toBeDefined();
    });

    it("can't have its machine send where the definition doesn't let it", async () => {
      const { operator, release, read, shop } = await open(server);
      release();
      const [theirs, own] = [operator.machine(invoice, "i-5"), operator.machine(order, "o-5")];
      const other = operator.machine(order, "o-6");
      for (const one of [theirs, own, other]) {
        await one.start();
        await one.waitFor((snapshot) => snapshot.matches("open"), { timeout: "1m" });
      }
      const before = await read(theirs);
      const forward = (to: unknown) =>
        answerTo(shop, "millrace.inbox.order.o-5", JSON.stringify({ type: "FORWARD", to }));
      for (const to of [
        { machine: "invoice", id: "i-5" },
        { machine: "order", id: "o-6.>" },
        { machine: "invoice.i-5", id: "x" },
        "#_parent",
      ])
        await forward(to);
      await forward({ machine: "order", id: "o-6" });
      await other.waitFor((one) => one.matches("closed"), { timeout: "1m" });
      expect(await read(theirs)).toEqual(before);
      expect(await own.snapshot()).toMatchObject({ value: "open", trouble: { event: "FORWARD" } });
    });

    it("can't make its machine's jobs end or its timers come by what it writes", async () => {
      const { operator, release, read, shop } = await open(server);
      const theirs = operator.machine(invoice, "i-3");
      await theirs.start();
      await theirs.send({ type: "GO" });
      const own = operator.machine(order, "o-3");
      const inbox = "millrace.inbox.order.o-3";
      await answerTo(shop, inbox, "", { headers: { "Millrace-Machine": "start" } });
      await answerTo(shop, inbox, '{"type":"GO"}');
      await own.waitFor((one) => one.matches("asking"), { timeout: "1m" });
      await theirs.waitFor((one) => one.matches("asking"), { timeout: "1m" });
      const before = await read(theirs);
      const { children = {}, timers = {} } = (await read(own)) ?? {};
      const [actor = ""] = Object.keys(children);
      const job = children[actor]?.job;
      const [timer] = Object.values(timers);
      const end = JSON.stringify({ job, output: "forged" });

      const types = [
        ...[`xstate.done.actor.${actor}`, `xstate.error.actor.${actor}`, timer?.event.type ?? ""],
        ...["xstate.stop", "xstate.init", "xstate.done.state.order", "*", "__proto__"],
      ];
      for (const type of types) await answerTo(shop, inbox, JSON.stringify({ type, output: 1 }));
      for (const body of ["{", "null", "[]", '"CLOSE"', end]) await answerTo(shop, inbox, body);
      for (const kind of ["end", "tick", "mend", "mtick", "START", "remove"])
        await answerTo(shop, inbox, end, { headers: { "Millrace-Machine": kind } });
      await answerTo(shop, inbox, end, { headers: { "Millrace-Due": "1" } });

      // What the server itself would do for whoever writes it.
      const target = [
        ...["mtick.order.o-3", "mend.order.o-3", "mend.invoice.i-3", "mtick.invoice.i-3"],
        ...["inbox.invoice.i-3", "inbox.order.o-3"],
      ].map((subject) => `millrace.${subject}`);
      for (const to of [...target, "$KV.millrace-machines.invoice.i-3"])
        for (const when of ["@at 2020-01-01T00:00:00Z", "@every 1s"]) {
          const headers = { "Nats-Schedule": when, "Nats-Schedule-Target": to };
          const { error } = await answerTo(shop, inbox, end, { headers });
          // 2.10 knows no schedules: it is an event that is none.
          if (server.generation === "newest") expect(error?.description).toMatch(/schedul/i);
        }
      for (const headers of [
        ...[{ "Nats-Rollup": "all" }, { "Nats-Rollup": "sub" }, { "Nats-TTL": "1s" }],
        ...[{ "Nats-Incr": "1" }, { "Nats-Msg-Id": "i-3" }, { "Nats-Scheduler": inbox }],
        ...[{ "Nats-Schedule-Next": "purge", "Nats-Scheduler": "millrace.mtimer.order.o-3" }],
        { "Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1" },
        { "Nats-Expected-Last-Subject-Sequence": "0" },
        { traceparent: "00-zz", tracestate: "x".repeat(4_096), baggage: "a=b" },
      ] as Readonly<Record<string, string>>[])
        await answerTo(shop, inbox, end, { headers });
      const large = `{"type":"x","x":"${"x".repeat(300 * 1024)}"}`;
      expect((await answerTo(shop, inbox, large)).error?.description).toMatch(/maximum/);

      const jsm = await jetstreamManager(await asRole(server, "operator"));
      const { config } = await jsm.streams.info("millrace-inbox");
      expect(config).toMatchObject({ allow_rollup_hdrs: false });
      for (const allowed of ["allow_msg_schedules", "allow_msg_ttl", "allow_atomic"])
        expect([undefined, false]).toContain(
          (config as unknown as Record<string, unknown>)[allowed],
        );
      await answerTo(shop, inbox, '{"type":"LAST"}');
      const last = await own.waitFor(({ trail }) => trail.at(-1)?.event === "LAST", {
        timeout: "1m",
      });
      expect(last).toMatchObject({ status: "active", value: "asking" });
      expect(await read(theirs)).toEqual(before);
      release();
      for (const one of [theirs, own]) {
        const ended = await one.waitFor(({ status }) => status !== "active", { timeout: "1m" });
        expect(ended).toMatchObject({ value: "quoted", context: { quote: "the real one" } });
      }
    });

    it("can't pose as a job that a machine has invoked, nor take its id in advance", async () => {
      const { operator, release, shop } = await open(server);
      const inbox = "millrace.inbox.order.o-4";
      const { seq = 0 } = await answerTo(shop, inbox, "", {
        headers: { "Millrace-Machine": "start" },
      });
      // All of it that can be foreseen.
      const start = `millrace-m:order:o-4:${seq.toString(36)}:1`;
      const forge = async (name: string, id: string, messageId = id) => {
        const job = { id, name, payload: null, parent: { id: "o-4", queue: "mail" } };
        const ack = await answerTo(shop, "millrace.jobs.mail", JSON.stringify(job), {
          headers: { "Nats-Msg-Id": messageId },
        });
        expect(ack).toMatchObject({ stream: "millrace-queue-mail" });
        await eventually(
          async () =>
            (await operator.broker.history.read({ id, queue: "mail" })).filter(
              (record) => record.name === name,
            ).length > 0,
          { withinMs: 60_000, describe: "the forged job has ended" },
        );
      };
      await forge("mail.forged", start);
      await forge("mail.plain", `${start}:`);
      const own = operator.machine(order, "o-4");
      await answerTo(shop, inbox, '{"type":"GO"}');
      const { jobs } = await own.waitFor((one) => one.matches("asking"), { timeout: "1m" });
      // From the history of its queue it knows the id, once the job has been stored.
      const [{ job: id } = { job: "" }] = Object.values(jobs);
      expect(id).toMatch(/^millrace-m:order:o-4:[\w-]{11}:1:[\w-]{11}$/);
      await forge("mail.plain", id, `${id}/2`);
      await answerTo(shop, inbox, '{"type":"LAST"}');
      const last = await own.waitFor(({ trail }) => trail.at(-1)?.event === "LAST", {
        timeout: "1m",
      });
      expect(last).toMatchObject({ status: "active", value: "asking" });
      release();
      const ended = await own.waitFor(({ status }) => status !== "active", { timeout: "1m" });
      expect(ended).toMatchObject({ value: "quoted", context: { quote: "the real one" } });
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
