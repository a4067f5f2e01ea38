import type { NatsConnection } from "@nats-io/transport-node";
import { decode } from "@msgpack/msgpack";
import {
  connect,
  createNode,
  defineJob,
  type ExecutionContext,
  type Millrace,
  type MillraceNode,
} from "millrace";
import { beforeAll, describe, expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, passwordServer } from "./roles.ts";
import { patient } from "../harness/cluster/mode.ts";

const mail = defineJob<{ n: number }>({
  name: "mail.send",
  queue: "mail",
  retry: { attempts: 2, base: "10ms" },
});
const secret = defineJob<{ n: number }>({ name: "payroll.pay", queue: "payroll" });

describeEachServer(
  "deploy/nats/authorization.conf",
  (server) => {
    const attempts: { readonly id: string; readonly attempt: number }[] = [];
    let node: MillraceNode;
    let shop: NatsConnection;
    let operator: Millrace;

    beforeAll(async () => {
      const run = ({ input, attempt, job, log, progress }: ExecutionContext<{ n: number }>) => {
        log.info({}, "at work");
        attempts.push({ id: job.id, attempt });
        progress(50, "half");
        if (input.n === 1 && attempt === 1) throw new Error("once more");
        return { doubled: input.n * 2 };
      };
      node = await createNode({
        servers: server.url,
        user: "node",
        password: "node",
        jobLogs: "info",
        graceMs: 2_000,
        jobs: [mail.handler(run), secret.handler(run)],
      });
      cleanUpLater(() => node.stop());
      await node.start();
      shop = await asRole(server, "shop");
      operator = await connect({ servers: server.url, user: "operator", password: "operator" });
      cleanUpLater(() => operator.close());
    });

    it("a node keeps what its handlers log, and an operator reads it", async () => {
      const handle = await operator.enqueue(mail, { n: 2 });
      const said: string[] = [];
      for await (const { message } of handle.logs({ follow: true })) said.push(message);
      expect(said).toEqual(["at work"]);
    });

    describe("a producer", () => {
      it("publishes, at once and delayed, and reads how its jobs ended", async () => {
        const ends = shop.subscribe("millrace.history.mail.p-1.*", { max: 1 });
        const late = shop.subscribe("millrace.history.mail.p-2.*", { max: 2 });
        await shop.flush();
        for (const job of [
          { id: "p-1", name: "mail.send", payload: { n: 21 }, attempts: 7, generation: 3 },
          { id: "p-2", name: "mail.send", payload: { n: 4 }, notBefore: Date.now() + 3_000 },
        ]) {
          const ack = await shop.request("millrace.jobs.mail", JSON.stringify(job));
          expect(ack.json()).toMatchObject({ stream: "millrace-queue-mail" });
        }
        for await (const { data } of ends)
          expect(decode(data)).toMatchObject({
            state: "succeeded",
            attempts: 1,
            output: { doubled: 42 },
          });
        const states: unknown[] = [];
        for await (const { data } of late) states.push((decode(data) as { state: string }).state);
        expect(states).toEqual(["requeued", "succeeded"]);
        expect(attempts.filter(({ id }) => id === "p-1")).toEqual([{ id: "p-1", attempt: 1 }]);
      });

      it("publishes with Millrace's own client, in a lane, many at once", async () => {
        await using millrace = await connect({
          servers: server.url,
          user: "shop",
          password: "shop",
        });
        const ends = shop.subscribe("millrace.history.mail.m-many-30.*", { max: 1 });
        const handle = await millrace.enqueue(mail, { n: 5 }, { id: "m-1", priority: "high" });
        expect(handle.id).toBe("m-1");
        const many = await millrace.enqueueMany(
          mail,
          [10, 20, 30].map((n) => ({ input: { n }, id: `m-many-${n}` })),
        );
        expect(many.map(({ ok }) => ok)).toEqual([true, true, true]);
        for await (const { subject } of ends) expect(subject).toMatch(/ended$/);
      });

      it("has many jobs confirmed together, and as one where the queue takes that", async () => {
        const asShop = { servers: server.url, user: "shop", password: "shop" };
        await using millrace = await connect(asShop);
        const items = Array.from({ length: 600 }, () => ({ input: { n: 6 } }));
        const few = items.slice(0, 3);
        // By the first the queue is asked whether it takes batches.
        const results = [
          ...(await millrace.enqueueMany(mail, few)),
          ...(await millrace.enqueueMany(mail, items)),
        ];
        expect(results.filter(({ ok }) => !ok)).toEqual([]);
        const isAble = server.generation === "newest";
        await expect(millrace.enqueueMany(mail, few, { atomic: true })).rejects.toMatchObject({
          code: isAble ? "permission-denied" : "server-too-old",
        });
        if (!isAble) return;
        // Who may change the queue's stream opens it by the first such call.
        await operator.enqueueMany(mail, few, { atomic: true });
        const atOnce = await millrace.enqueueMany(mail, few, { atomic: true });
        expect(atOnce.map(({ ok }) => ok)).toEqual([true, true, true]);
        const sent = [...results, ...atOnce].map(({ id }) => id);
        await eventually(
          () => {
            const ran = new Set(attempts.map(({ id }) => id));
            return sent.every((id) => id !== undefined && ran.has(id));
          },
          { withinMs: 60_000, describe: "each of the jobs to have run" },
        );
      });

      it("is told at once that a queue is not there, or not its own", async () => {
        await expect(shop.request("millrace.jobs.mail.urgent", "{}")).rejects.toThrow(
          /no responders/i,
        );
        await expect(shop.request("millrace.jobs.payroll", "{}")).rejects.toThrow(
          /permissions violation/i,
        );
      });

      it.each([
        "millrace.jobs.payroll.normal.x",
        "millrace.requeue.mail",
        "millrace.requeue.mail.woken",
        "millrace.delayed.mail.x.1",
        "millrace.due.mail.x.1",
        "millrace.blocked.mail.x",
        "millrace.dead.mail.x",
        "millrace.journal.mail.x.1.step.0",
        "millrace.signal.payroll.x.approval",
        "millrace.inbox.invoice.x",
        "millrace.mend.order.x",
        "millrace.mtick.order.x",
        "millrace.mtimer.order.x",
        "millrace.log.mail.x",
        "millrace.history.mail.x.ended",
        "millrace.ctl.who-runs",
        "$KV.millrace-locks.x",
        "$KV.millrace-machines.order.x",
        "$KV.millrace-settings.mail",
        "$KV.millrace-cancellations.mail.p-1",
        "$JS.API.STREAM.PURGE.millrace-queue-mail",
        "$JS.API.STREAM.MSG.GET.millrace-queue-mail",
        "$JS.API.DIRECT.GET.millrace-queue-mail",
        "$JS.API.CONSUMER.CREATE.millrace-history",
        "$JS.API.CONSUMER.MSG.NEXT.millrace-queue-mail.workers",
        "_INBOX.x",
      ])("may not publish %s", async (subject) => {
        await expect(shop.request(subject, "{}")).rejects.toThrow(/permissions violation/i);
      });

      it.each([
        "millrace.jobs.mail",
        "millrace.history.payroll.>",
        "millrace.>",
        "$KV.>",
        "$JS.API.>",
        "$JS.ACK.>",
        ">",
      ])("may not listen to %s", async (subject) => {
        const refused = new Promise<string>((resolve) => {
          shop.subscribe(subject, {
            callback: (error) => void (error !== null && resolve(error.message)),
          });
        });
        expect(await within(refused, 20_000, "a refusal")).toMatch(/permissions violation/i);
      });

      it("sees no inbox of a node: no job that is handed to one", async () => {
        const seen: string[] = [];
        const inboxes = shop.subscribe("_INBOX.>", {
          callback: (_, message) => void seen.push(message.string()),
        });
        await shop.flush();
        const handle = await operator.enqueue(secret, { n: 8 });
        expect(await handle.result({ timeout: patient(20_000) })).toEqual({ doubled: 16 });
        await shop.flush();
        inboxes.unsubscribe();
        expect(seen).toEqual([]);
      });
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
