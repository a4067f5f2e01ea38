import { jetstreamManager } from "@nats-io/jetstream";
import { createNode, defineJob, defineMachine } from "millrace";
import { expect, it } from "vitest";
import { setup } from "xstate";
import { headersOf, lastMessage } from "../../packages/broker-nats/src/reads/next-message.ts";
import { publishRaw, type RawOptions } from "../harness/bare-client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { asRole, operatorOf, passwordServer } from "../permissions/roles.ts";

/** What a server takes from a hand-written client, and client libraries throw on. */
const ODD: readonly (readonly [what: string, block: string])[] = [
  ["a space in a name", "X Odd: 1"],
  ["a name that is not ASCII", "Größe: 1"],
  ["a lone line feed in a value", "x-odd: a\nb"],
  ["a lone carriage return in a value", "x-odd: a\rb"],
  ["no name at all", ": 1"],
];
/** Of tokens alone, so that they are as many as may be. */
const TOKENS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

/** What else the process does is charged to a read, too: the cheapest of these is the price. */
const READS = 5;

/** 64 KB of names that are all different, and one that is none. */
function manyNames(): string {
  const letters = Array.from(TOKENS);
  const names = letters.flatMap((a) => letters.map((b) => `${a}${b}`));
  const longer = names.flatMap((name) => ["a", "b"].map((c) => `${name}${c}`));
  const lines = [...names, ...longer].map((name) => `${name}:`);
  return `${lines.join("\r\n").slice(0, 64_000)}\r\nX Odd: 1`;
}

const chart = setup({}).createMachine({
  initial: "open",
  states: { open: { on: { CLOSE: "closed" } }, closed: { type: "final" } },
});
const order = defineMachine({ name: "order", machine: chart });
const mail = defineJob<unknown>({ name: "mail.send", queue: "mail" });
const approved = defineJob<unknown>({ name: "mail.approved", queue: "mail", steps: true });
const transfer = defineJob<unknown>({ name: "payments.transfer", queue: "payments" });
const EVENT = Buffer.from('{"type":"NOTHING"}');

async function open(server: TestServer) {
  const ran: string[] = [];
  const node = await createNode({
    ...{ servers: server.url, user: "node", password: "node", machines: [order] },
    jobs: [
      mail.handler(({ job }) => void ran.push(job.id)),
      approved.handler(({ step }) => step.waitFor("approval")),
      transfer.handler(({ job }) => void ran.push(job.id)),
    ],
  });
  cleanUpLater(() => node.stop());
  const operator = await operatorOf(server);
  const jsm = await jetstreamManager(await asRole(server, "operator"));
  const send = (subject: string, block: string, body: Uint8Array, options: RawOptions = {}) =>
    publishRaw(server, `millrace.${subject}`, block, body, { user: "shop", ...options });
  return { operator, jsm, send, ran, node };
}

describeEachServer(
  "what a hand-written producer writes into headers",
  (server) => {
    it("stops no queue and no other machine, and costs no processor", async () => {
      const { operator, jsm, send, node } = await open(server);
      await node.start();
      const block = manyNames();
      for (let n = 0; n < 10; n += 1) await send(`inbox.order.b-${n}`, block, EVENT);
      const paid = await operator.enqueue(transfer, null);
      await paid.result({ timeout: "20s" });
      const own = operator.machine(order, "o-1");
      await own.start();
      await own.waitFor((one) => one.matches("open"), { timeout: "20s" });
      await eventually(
        async () => (await jsm.streams.info("millrace-inbox")).state.messages === 0,
        { withinMs: 20_000, describe: "what was sent to machines that nobody started is dropped" },
      );
    });

    it("is read in less time than the client library needs by far", async () => {
      const { operator, jsm, send } = await open(server);
      await operator.queues.ensure("mail");
      await send("jobs.mail", manyNames(), Buffer.from("{}"));
      const stored = await lastMessage(jsm, "millrace-queue-mail", "millrace.jobs.mail");
      if (stored === undefined) throw new Error("it was not stored");
      const costs = Array.from({ length: READS }, () => {
        const before = process.cpuUsage();
        const headers = headersOf(stored);
        const { user, system } = process.cpuUsage(before);
        expect(headers["aa"]).toBe("");
        expect(headers["x odd"]).toBeUndefined();
        return (user + system) / 1_000;
      });
      // The library's reader takes 1.9 s.
      expect(Math.min(...costs)).toBeLessThan(400);
    });

    it.each(ODD)("stops no machine: %s", async (what, block) => {
      const { operator, send, node } = await open(server);
      await node.start();
      const one = operator.machine(order, `odd-${what.replaceAll(" ", "-")}`);
      await one.start();
      await one.waitFor((snapshot) => snapshot.matches("open"), { timeout: "20s" });
      await send(`inbox.order.${one.id}`, block, EVENT);
      await one.send({ type: "CLOSE" });
      await one.waitFor((snapshot) => snapshot.matches("closed"), { timeout: "20s" });
      const other = operator.machine(order, `${one.id}-2`);
      await other.start();
      await send(`inbox.order.${other.id}`, block, EVENT);
      await other.stop();
      await other.waitFor(({ status }) => status === "stopped", { timeout: "20s" });
    });

    it("keeps no signal from its job", async () => {
      const { operator, send, node } = await open(server);
      await node.start();
      const waiting = await operator.enqueue(approved, null, { id: "s-1" });
      await eventually(async () => (await waiting.status()).state === "delayed", {
        withinMs: 20_000,
        describe: "the job waits",
      });
      for (const [, block] of [...ODD, ["many names", manyNames()] as const]) {
        await send("signal.mail.s-1.approval", block, Buffer.from("{"));
        await send("signal.mail.s-1.approval", block, Buffer.from("["), {
          first: "NATS/1.0 404 x",
        });
      }
      await send("signal.mail.s-1.approval", "X Odd: 1", Buffer.from('"granted"'));
      expect(await waiting.result({ timeout: "30s" })).toBe("granted");
    });

    it("keeps no machine that has ended from being forgotten", async () => {
      const { operator, send, node } = await open(server);
      await node.start();
      await node.stop();
      for (const [, block] of ODD) {
        await send("inbox.order.gone", block, EVENT);
        await send("inbox.order.gone", block, Buffer.alloc(0), { first: "NATS/1.0 404 x" });
      }
      for (let from = 1; ;) {
        const found = await operator.broker.inbox.next({ machine: "order", id: "gone" }, from);
        if (found === undefined) break;
        expect(found).toMatchObject({ kind: "event" });
        from = found.sequence + 1;
      }
    });

    it("fails no command about its own queue, another or all of them", async () => {
      const { operator, send, ran, node } = await open(server);
      for (const queue of ["mail", "payments"]) await operator.queues.ensure(queue);
      await operator.enqueue(mail, null, { id: "before" });
      await operator.enqueue(transfer, null, { id: "theirs" });
      const job = (id: string) =>
        Buffer.from(JSON.stringify({ id, name: "mail.send", payload: null }));
      for (const [at, [, block]] of ODD.entries()) {
        await send("jobs.mail", block, job(`odd-${at}`));
        await send("jobs.mail", block, Buffer.alloc(0), { first: "NATS/1.0 500 x" });
        await send("jobs.mail", block, Buffer.alloc(0), { first: "NATS/1.0 204 x" });
        await send(`jobs.mail.low.keyed-${at}`, block, job(`keyed-${at}`));
        await send("jobs.mail", block, Buffer.from("{"));
      }
      await send("jobs.mail", manyNames(), job("many"));
      await operator.enqueue(mail, null, { id: "behind" });

      const { broker } = operator;
      const waiting = await operator.jobs.list({ state: "queued", limit: 100 });
      const ids = waiting.map(({ id }) => id);
      const own = ODD.flatMap((_, at) => [`odd-${at}`, `keyed-${at}`]);
      expect(ids).toEqual(expect.arrayContaining(["before", "theirs", "behind", ...own, "many"]));
      expect(await operator.job("theirs").then(({ state }) => state)).toBe("queued");
      await expect(operator.cancel("nobody")).rejects.toMatchObject({ code: "job-not-found" });
      for (const id of [...own, "behind"])
        expect(await broker.findWaiting(id, { queue: "mail" }), id).toMatchObject({
          envelope: { id },
        });
      const { jobs } = await broker.arrivals.stretch("mail", { after: 0 });
      expect(jobs.map(({ envelope }) => envelope.id)).toEqual(
        expect.arrayContaining(["before", ...own, "behind"]),
      );

      await node.start();
      await eventually(
        () => ["before", "theirs", "behind", ...own].every((id) => ran.includes(id)),
        { withinMs: 20_000, describe: () => `all of them run; ran: ${ran.join(", ")}` },
      );
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
