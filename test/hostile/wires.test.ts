import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { beforeAll, describe, expect, it } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, passwordServer } from "../permissions/roles.ts";
import { type Bank, capped, mail, openBank } from "./bank.ts";

/** Headers that mean something to the server, or to the runtime. */
const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["Nats-Rollup", "all"],
  ["Nats-Rollup", "sub"],
  ["Nats-TTL", "1s"],
  ["Nats-Expected-Stream", "millrace-queue-payments"],
  ["Nats-Expected-Last-Sequence", "9999"],
  ["Nats-Expected-Last-Msg-Id", "nobody"],
  ["Nats-Schedule", "@every 1s"],
  ["Nats-Schedule-Target", "millrace.requeue.payments"],
  ["Nats-Marker-Reason", "Purge"],
  ["KV-Operation", "PURGE"],
  ["Millrace-Queue", "payments"],
  ["Millrace-Msg-Id", "order-1"],
  ["Millrace-Door", "runtime"],
  ["Millrace-Lane", "high"],
  ["Millrace-Claim", "1"],
  ["Millrace-Original-Nats-Msg-Id", "order-1"],
];

describeEachServer(
  "what a producer does on the wire",
  (server) => {
    let bank: Bank;
    let jsm: JetStreamManager;
    /** The last place of every stream that is not the producer's own. */
    const elsewhere = async (): Promise<Readonly<Record<string, number>>> => {
      const places: Record<string, number> = {};
      for (const name of ["queue-payments", "delayed", "blocked", "dead"])
        places[name] = (await jsm.streams.info(`millrace-${name}`)).state.last_seq;
      for (const name of ["locks", "controls", "cancellations"]) {
        const info = await jsm.streams.info(`KV_millrace-${name}`).catch(() => undefined);
        places[name] = info?.state.last_seq ?? 0;
      }
      return places;
    };
    beforeAll(async () => {
      bank = await openBank(server);
      jsm = await jetstreamManager(await asRole(server, "operator"));
      // A queue that stores several jobs as one forbids no less.
      if (server.generation === "newest")
        await bank.operator.enqueueMany(mail, [{ input: null }, { input: null }], { atomic: true });
    });

    it.each(HEADERS)("the header %s: %s reaches nothing", async (name, value) => {
      await bank.pause();
      const id = `${name}-${value}`.replace(/[^a-z0-9]/gi, "-");
      const waiting = await bank.send({ id: `${id}-before`, name: "mail.send", payload: null });
      expect(waiting.seq).toBeGreaterThan(0);
      const before = await elsewhere();
      const job = { id, name: "mail.send", payload: null };
      const ack = await bank.send(job, { headers: { [name]: value } });
      // One that the server takes empties the queue of whatever waits in it.
      if (name === "Nats-Rollup") expect(ack.error?.description).toMatch(/rollup/i);
      await bank.operator.queues.resume("mail");
      // What was there before is still there, and what the server took runs like any other.
      expect(await bank.end(`${id}-before`)).toBe("succeeded");
      if (ack.seq !== undefined && ack.seq > 0) expect(await bank.end(id)).toBe("succeeded");
      const { controls: _paused, ...after } = await elsewhere();
      const { controls: _running, ...rest } = before;
      expect(after).toEqual(rest);
    });

    it("a delayed job goes to its own queue, whatever its headers say", async () => {
      const headers = {
        "Millrace-Queue": "payments",
        "Millrace-Msg-Id": "order-2",
        "Millrace-Not-Before": "0",
        "Nats-Schedule-Target": "millrace.requeue.payments",
      };
      const notBefore = Date.now() + 400;
      await bank.send({ id: "sly", name: "mail.send", payload: null, notBefore }, { headers });
      expect(await bank.end("sly")).toBe("succeeded");
      expect(bank.paid()).toEqual([]);
    });

    it("a permit that it wrote itself lets no job through a gate", async () => {
      await bank.operator.enqueue(capped, { key: "k" }, { id: "first" });
      await eventually(() => bank.ran.some(({ id }) => id === "first"), {
        withinMs: 20_000,
        describe: "the first runs",
      });
      const permit = { "Millrace-Gate": '"cap/mail/k"', "Millrace-Permit": '"0 1"' };
      const forged = { id: "forged", name: "mail.capped", payload: { key: "k" } };
      await bank.send(forged, { headers: permit });
      await eventually(async () => (await bank.operator.broker.blocked.count()) === 1, {
        withinMs: 20_000,
        describe: "it is blocked like any other",
      });
      expect(bank.ran.some(({ id }) => id === "forged")).toBe(false);
      bank.open();
      expect(await bank.end("forged")).toBe("succeeded");
    });

    describe("no subject but its own", () => {
      it.each([
        "millrace.jobs.payments",
        "millrace.jobs.payments.high",
        "millrace.requeue.mail",
        "millrace.requeue.mail.program",
        "millrace.requeue.payments.program",
        "millrace.requeue.mail.normal.x",
        "millrace.delayed.mail.x.1",
        "millrace.due.mail.x.1",
        "millrace.blocked.mail.x",
        "millrace.dead.mail.x",
        "millrace.batch.b.job.x",
        "millrace.history.mail.x.ended",
        "millrace.progress.mail.x",
        "millrace.ctl.running",
        "millrace.ctl.lock-released.x",
        "$KV.millrace-cancellations.mail.x",
        "$KV.millrace-controls.mail",
        "$KV.millrace-audit.x",
        "$JS.API.STREAM.CREATE.mine",
        "$JS.API.STREAM.DELETE.millrace-queue-mail",
        "$JS.API.CONSUMER.DURABLE.CREATE.millrace-queue-mail.mine",
        "$JS.API.DIRECT.GET.millrace-queue-mail",
        "$JS.ACK.millrace-queue-mail.workers.1.1.1.1.0",
        "$JS.FC.millrace-queue-mail.workers.x",
        "$SYS.REQ.SERVER.PING",
      ])("may not publish %s", async (subject) => {
        await expect(bank.shop.request(subject, "{}")).rejects.toThrow(/permissions violation/i);
      });

      it.each(["woken", "program", "normal", "x"])("there is no lane %s", async (lane) => {
        await expect(bank.shop.request(`millrace.jobs.mail.${lane}`, "{}")).rejects.toThrow(
          /no responders/i,
        );
      });

      it.each([
        "millrace.history.payments.>",
        "millrace.history.*.*.*",
        "millrace.progress.payments.>",
        "millrace.requeue.>",
        "millrace.dead.>",
        "millrace.jobs.mail",
        "$KV.>",
        "$JS.API.>",
        "$SYS.>",
      ])("may not listen to %s", async (subject) => {
        const refused = new Promise<string>((resolve) => {
          bank.shop.subscribe(subject, {
            callback: (error) => void (error !== null && resolve(error.message)),
          });
        });
        expect(await within(refused, 20_000, "a refusal")).toMatch(/permissions violation/i);
      });
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
