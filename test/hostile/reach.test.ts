import { beforeAll, expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { passwordServer } from "../permissions/roles.ts";
import { type Bank, openBank, transfer } from "./bank.ts";

describeEachServer(
  "a producer of one queue reaches no other",
  (server) => {
    let bank: Bank;
    beforeAll(async () => {
      bank = await openBank(server);
    });

    it("by the jobs that follow: it is refused before it runs", async () => {
      await bank.send({
        id: "chained",
        name: "mail.send",
        payload: { to: "me" },
        next: [{ name: "payments.transfer", queue: "payments", id: "order-77" }],
      });
      expect(await bank.end("chained")).toBe("dead: next-not-allowed");
      expect(bank.ran.filter(({ id }) => id === "chained")).toEqual([]);
      expect(await bank.operator.dead.show("chained")).toMatchObject({
        queue: "mail",
        error: { message: expect.stringContaining("--sends-to payments") as string },
      });
      // The id is still there for whom it belongs to.
      const order = await bank.operator.enqueue(transfer, { real: true }, { id: "order-77" });
      expect(order.duplicate).toBe(false);
      expect(await order.result({ timeout: 20_000 })).toEqual({ real: true });
    });

    it("unless an operator lets the one queue send on to the other, and by ids of its own there", async () => {
      await bank.operator.queues.set("mail", { sendsTo: ["payments"] });
      const order = { name: "payments.transfer", queue: "payments", id: "order-78" };
      const send = async (id: string): Promise<string> => {
        await bank.send({ id, name: "mail.send", payload: { n: 1 }, next: [order] });
        return bank.end(id);
      };
      let sent = 0;
      await eventually(async () => (await send(`allowed-${(sent += 1)}`)) === "succeeded", {
        withinMs: 20_000,
        describe: "the node has heard of it",
      });
      expect(await bank.end("from:mail:order-78", "payments")).toBe("succeeded");
      const real = await bank.operator.enqueue(transfer, { real: 2 }, { id: "order-78" });
      expect(await real.result({ timeout: 20_000 })).toEqual({ real: 2 });
      await bank.operator.queues.set("mail", { sendsTo: null });
      await eventually(async () => (await send(`refused-${(sent += 1)}`)).startsWith("dead"), {
        withinMs: 20_000,
        describe: "the node has heard that it is over",
      });
    });

    it("by a handler's name: a name is served in the queue of its definition", async () => {
      await bank.send({ id: "by-name", name: "payments.transfer", payload: { to: "me" } });
      expect(await bank.end("by-name")).toBe("dead: unknown-name");
      expect(bank.ran.filter(({ id }) => id === "by-name")).toEqual([]);
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
