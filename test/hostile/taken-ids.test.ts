import { type Envelope, UNSETTLED } from "@millrace/core";
import { planJob } from "millrace";
import { beforeAll, expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { passwordServer } from "../permissions/roles.ts";
import { type Bank, capped, flaky, mail, mailed, openBank, watched } from "./bank.ts";

/**
 * The ids under which the runtime publishes are known, and a producer of the queue may use them
 * before.
 */
describeEachServer(
  "an id of the runtime's that a producer took in advance",
  (server) => {
    let bank: Bank;
    beforeAll(async () => {
      bank = await openBank(server);
    });

    const attemptsOf = (id: string): number[] =>
      bank.ran.filter((one) => one.id === id).map(({ attempt }) => attempt);
    const takeId = (id: string, job: unknown = "junk"): Promise<unknown> =>
      bank.send(job, { headers: { "Nats-Msg-Id": id } });

    it("swallows no retry: the junk has been settled", async () => {
      await takeId("millrace/retried/1");
      await takeId("millrace/retried/1/1", { name: "mail.send", payload: null });
      const letters = () => bank.operator.dead.list({ queue: "mail" });
      await eventually(async () => (await letters()).length > 0, {
        withinMs: 20_000,
        describe: "the junk is buried",
      });
      await bank.operator.enqueue(flaky, null, { id: "retried" });
      expect(await bank.end("retried")).toBe("succeeded");
      expect(attemptsOf("retried")).toEqual([1, 2]);
    });

    it("swallows no retry: the junk is still there, and calls itself that very job", async () => {
      const job = { id: "again", name: "mail.flaky", payload: null, notBefore: Date.now() + 1_500 };
      await bank.pause();
      await bank.operator.enqueue(flaky, null, { id: "again" });
      await takeId("millrace/again/1", { ...job, generation: 1, attempts: 1 });
      await bank.operator.queues.resume("mail");
      await eventually(() => attemptsOf("again").includes(2), {
        withinMs: 20_000,
        describe: "the second attempt",
      });
    });

    it("hides no retry from who asks whether a job has gone on", async () => {
      const { broker } = bank.operator;
      await bank.pause();
      await takeId("millrace/hidden/1");
      const job: Envelope = {
        ...{
          ...UNSETTLED,
          id: "hidden",
          name: "mail.send",
          queue: "mail",
          payload: 1,
          headers: {},
        },
        createdAt: Date.now(),
      };
      await broker.requeue({ ...job, generation: 1, firstStoredAt: job.createdAt });
      const [body, origin] = [new Uint8Array(), "producer"] as const;
      const message = { queue: "mail", origin, body, headers: {}, sequence: 1, storedAt: 1 };
      const { waiting } = await broker.successors(job, message);
      expect(waiting).toMatchObject([{ id: "hidden", generation: 1 }]);
      await bank.operator.queues.resume("mail");
      expect(await bank.end("hidden")).toBe("succeeded");
    });

    it("swallows no delayed job on its way back to its queue", async () => {
      await takeId("millrace/later/1");
      await bank.operator.enqueue(mail, 1, { id: "later", delay: "300ms" });
      expect(await bank.end("later")).toBe("succeeded");
      expect(attemptsOf("later")).toEqual([1]);
    });

    it("swallows no job that is let in at a gate", async () => {
      const first = await bank.operator.enqueue(capped, { key: "k" }, { id: "capped-1" });
      await eventually(() => attemptsOf("capped-1").length === 1, {
        withinMs: 20_000,
        describe: "the first runs",
      });
      await bank.operator.enqueue(capped, { key: "k" }, { id: "capped-2" });
      await eventually(async () => (await bank.operator.broker.blocked.count()) === 1, {
        withinMs: 20_000,
        describe: "the second is blocked",
      });
      await takeId("mail/millrace/capped-2/1");
      bank.open();
      await first.result({ timeout: 20_000 });
      expect(await bank.end("capped-2")).toBe("succeeded");
    });

    it("puts no result of the producer's into a chain: the end of the real job is on record, and what follows gets its result", async () => {
      await takeId("links:2", { id: "links:2", name: "mail.send", payload: "mine" });
      expect(await bank.end("links:2")).toBe("succeeded");
      await bank.operator.chain(mail, "real", { id: "links" }).next(mail).next(mail).enqueue();
      const inputsOf = (link: string): unknown[] =>
        bank.ran.filter(({ id }) => id === link).map(({ input }) => input);
      await eventually(() => inputsOf("links:3").length > 0, {
        withinMs: 20_000,
        describe: "the third job has run",
      });
      expect(inputsOf("links:3")).toEqual(["real"]);
      const records = await bank.operator.broker.history.stored({ id: "links:2", queue: "mail" });
      expect(records.map(({ record }) => record.output)).toEqual(["mine", "real"]);
    });

    it("swallows no job that follows another, and no batch's callback", async () => {
      const mine = (id: string) => ({ id, name: "mail.send", payload: "mine" });
      await takeId("chain:2", mine("chain:2"));
      await takeId("b:callback", mine("b:callback"));
      expect(await bank.end("chain:2")).toBe("succeeded");
      expect(await bank.end("b:callback")).toBe("succeeded");
      await bank.operator.chain(mail, "real", { id: "chain" }).next(mail).enqueue();
      await eventually(
        () => bank.ran.some(({ id, input }) => id === "chain:2" && input === "real"),
        {
          withinMs: 20_000,
          describe: "the real second job has run",
        },
      );
      await bank.operator.batch([planJob(mail, 1, { id: "member" })], {
        id: "b",
        callback: { job: mailed, input: "real" },
      });
      await eventually(() => bank.ran.some(({ name }) => name === "mail.mailed"), {
        withinMs: 20_000,
        describe: "the real callback has run",
      });
    });

    it("swallows no batch's callback where a job that follows the producer's own took its id", async () => {
      const next = [{ id: "b2:callback", name: "mail.send", queue: "mail" }];
      await bank.send({ id: "before-b2", name: "mail.send", payload: null, next });
      expect(await bank.end("b2:callback")).toBe("succeeded");
      await bank.operator.batch([planJob(mail, 1, { id: "member-2" })], {
        id: "b2",
        callback: { job: mailed, input: "real" },
      });
      await eventually(
        () => bank.ran.some(({ id, name }) => id === "b2:callback" && name === "mail.mailed"),
        { withinMs: 20_000, describe: "the real callback has run" },
      );
    });

    it("swallows no word of an end, and puts none of the producer's in its place", async () => {
      const forged = { id: "watched", name: "mail.watched", queue: "mail", end: "dead" };
      const mine = { id: "dead:mail:watched", name: "mail.buried", payload: forged };
      await takeId("dead:mail:watched", mine);
      expect(await bank.end("dead:mail:watched")).toBe("succeeded");
      await bank.operator.enqueue(watched, "real", { id: "watched" });
      const told = (): readonly unknown[] =>
        bank.ran.filter(({ name }) => name === "mail.buried").map(({ input }) => input);
      await eventually(() => told().length > 1, {
        withinMs: 20_000,
        describe: "the end of the real job is told",
      });
      expect(told()).toMatchObject([forged, { payload: "real", reason: "fatal", attempts: 1 }]);
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
