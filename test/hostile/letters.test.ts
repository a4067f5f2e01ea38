import { beforeAll, expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { passwordServer } from "../permissions/roles.ts";
import { type Bank, openBank } from "./bank.ts";

/** What is the runtime's to write, as a producer would have it. */
const FORGED = {
  attempts: 7,
  generation: 2 ** 40,
  crashes: 2,
  snoozes: 9,
  cancelled: "mine",
  life: 99,
  reservedAt: 1,
  sentFrom: "payments",
};

describeEachServer(
  "a dead letter remembers who wrote its job",
  (server) => {
    let bank: Bank;
    beforeAll(async () => {
      bank = await openBank(server);
    });

    it("forged fields of the runtime's are dropped when it is retried, and when it is edited", async () => {
      for (const id of ["retried", "edited"]) {
        await bank.send({ id, name: "mail.doomed", payload: null, ...FORGED });
        expect(await bank.end(id)).toBe("dead: fatal");
      }
      const [before] = await bank.operator.dead.list({ id: "retried" });
      expect(before).toMatchObject({ door: "producer", attempts: 1 });
      expect(await bank.operator.dead.retry({ id: "retried" })).toMatchObject([{ ok: true }]);
      await bank.operator.dead.edit("edited", { mended: true });
      for (const id of ["retried", "edited"]) {
        const runs = () => bank.ran.filter((one) => one.id === id).map(({ attempt }) => attempt);
        await eventually(() => runs().length === 2, {
          withinMs: 20_000,
          describe: `${id} has run again`,
        });
        expect(runs()).toEqual([1, 1]);
        const records = await bank.operator.broker.history.read({ id, queue: "mail" });
        expect(records.map(({ generation }) => generation)).not.toContain(2 ** 40);
      }
    });

    it("what may not follow may not follow after a retry or an edit either", async () => {
      const next = [{ name: "payments.transfer", queue: "payments", id: "loot" }];
      await bank.send({ id: "thief", name: "mail.doomed", payload: null, next });
      expect(await bank.end("thief")).toBe("dead: next-not-allowed");
      await bank.operator.dead.retry({ id: "thief" });
      const letters = () => bank.operator.dead.list({ id: "thief" });
      await eventually(async () => (await letters())[0]?.door === "runtime", {
        withinMs: 20_000,
        describe: "it is dead again",
      });
      await bank.operator.dead.edit("thief", { other: 1 });
      await eventually(async () => (await letters()).length === 1, {
        withinMs: 20_000,
        describe: "it is dead once more",
      });
      expect(bank.ran.filter(({ id }) => id === "thief")).toEqual([]);
      expect(bank.paid()).toEqual([]);
    });

    it("through a retry of its own, a delay and a gate it stays a producer's", async () => {
      const next = [{ name: "payments.transfer", queue: "payments", id: "loot-2" }];
      await bank.operator.queues.set("mail", { sendsTo: ["payments"] });
      const chained = (id: string, more: object) =>
        bank.send({ id, name: "mail.flaky", payload: null, next, ...more });
      // Allowed when it comes, and not any more when it is tried again.
      await eventually(
        async () => {
          await chained("probe", {});
          return (await bank.end("probe")) === "succeeded";
        },
        { withinMs: 20_000, describe: "the node has heard that it may" },
      );
      await chained("late", { notBefore: Date.now() + 1_500 });
      await eventually(async () => (await bank.operator.delayed.list()).length === 1, {
        withinMs: 20_000,
        describe: "it waits for its time",
      });
      await bank.operator.queues.set("mail", { sendsTo: null });
      expect(await bank.end("late")).toBe("dead: next-not-allowed");
      expect(bank.ran.filter(({ id }) => id === "late")).toEqual([]);
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
