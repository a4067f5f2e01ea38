import { headers as natsHeaders } from "@nats-io/transport-node";
import { connect, createNode, defineJob } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, passwordServer } from "../permissions/roles.ts";

const quote = defineJob<null, null, unknown>({ name: "mail.quote", queue: "mail", steps: true });
const forged = defineJob({ name: "mail.forged", queue: "mail" });
const raise = defineJob({ name: "payroll.raise", queue: "payroll", steps: true });

describeEachServer(
  "a producer that gives its job the id of a called one",
  (server) => {
    it("tells the caller nothing", async () => {
      const operator = await connect({
        servers: server.url,
        user: "operator",
        password: "operator",
      });
      cleanUpLater(() => operator.close());
      const node = await createNode({
        ...{ servers: server.url, user: "node", password: "node" },
        jobs: [
          quote.handler(({ step }) => step.waitFor("quote")),
          forged.handler(() => "forged"),
          raise.handler(({ step }) => step.call(quote, null)),
        ],
      });
      await node.start();
      cleanUpLater(() => node.stop());
      const caller = await operator.enqueue(raise, undefined, { id: "p-1" });
      const child = await eventually(
        async () => {
          const called = (await caller.status()).steps?.[0]?.child;
          const found = called && (await operator.broker.findWaiting(called.id, called));
          return found?.state === "delayed" ? called : undefined;
        },
        { withinMs: 60_000, describe: "the called job waits for its signal" },
      );

      const shop = await asRole(server, "shop");
      const parent = { id: "p-1", queue: "payroll" };
      const job = { id: child.id, name: "mail.forged", payload: null, parent };
      const ack = await shop.request("millrace.jobs.mail", JSON.stringify(job), {
        timeout: 20_000,
      });
      expect(ack.json()).toMatchObject({ stream: "millrace-queue-mail" });
      await eventually(
        async () =>
          (await operator.broker.history.read(child)).some(({ name }) => name === "mail.forged"),
        { withinMs: 60_000, describe: "the forged job has ended" },
      );
      for (const name of [child.id, `millrace/${child.id}/1`, `mail/millrace/${child.id}/1`]) {
        const headers = natsHeaders();
        headers.set("Nats-Msg-Id", name);
        headers.set("Millrace-Caller", "payroll/p-1");
        await shop.request("millrace.jobs.mail", "{", { headers, timeout: 20_000 });
      }
      await eventually(async () => (await operator.broker.deadLetters.list()).length >= 2, {
        withinMs: 60_000,
        describe: "what can't be decoded is dead",
      });
      expect((await operator.broker.deadLetters.list()).map(({ id }) => id)).not.toContain(
        child.id,
      );
      expect((await caller.status()).steps?.[0]?.state).toBe("calling");

      const subject = `millrace.signal.mail.${child.id}.quote`;
      await shop.request(subject, '"the real one"', { timeout: 20_000 });
      expect(await caller.result({ timeout: "2m" })).toBe("the real one");
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
