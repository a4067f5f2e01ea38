import { jetstreamManager } from "@nats-io/jetstream";
import { planJob } from "millrace";
import { expect, it } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, passwordServer } from "../permissions/roles.ts";
import { booked, openBank, transfer } from "./bank.ts";

describeEachServer(
  "a producer counts in no batch but of its own queue's jobs",
  (server) => {
    it("by the ids of another's batch", async () => {
      const bank = await openBank(server);
      const ids = ["salary-1", "salary-2"];
      await bank.pause("payments");
      const batch = await bank.operator.batch(
        ids.map((id) => planJob(transfer, { id }, { id })),
        { id: "salaries", callback: { job: booked, input: "november" } },
      );
      for (const id of ids) {
        await bank.send({ id, name: "mail.send", payload: null, batch: "salaries" });
        expect(await bank.end(id)).toBe("succeeded");
      }
      expect(await batch.left()).toBe(2);
      await bank.operator.queues.resume("payments");
      expect(await batch.result({ timeout: 20_000 })).toMatchObject({
        batch: { total: 2, succeeded: 2 },
      });
      expect(bank.ran.filter(({ name }) => name === "payments.booked")).toHaveLength(1);
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);

describeEachServer(
  "a batch that nobody made",
  (server) => {
    it("holds nothing up and leaves nothing behind, in a namespace that knows no batches", async () => {
      const bank = await openBank(server);
      for (let n = 0; n < 20; n++)
        await bank.send({ id: `b-${n}`, name: "mail.send", payload: n, batch: `made-up-${n}` });
      for (let n = 0; n < 20; n++) expect(await bank.end(`b-${n}`)).toBe("succeeded");
      const jsm = await jetstreamManager(await asRole(server, "operator"));
      const streams = await jsm.streams.names().next();
      expect(streams).not.toContain("millrace-batches");
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
