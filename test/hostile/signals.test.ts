import { headers, type NatsConnection } from "@nats-io/transport-node";
import { MAX_SIGNAL_BYTES, MAX_WAITING_SIGNALS } from "@millrace/core";
import { createNode, defineJob } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { asRole, operatorOf, passwordServer } from "../permissions/roles.ts";

const mail = defineJob({ name: "mail.order", queue: "mail", steps: true });
const payroll = defineJob({ name: "payroll.raise", queue: "payroll", steps: true });

/** A node with a job on the producer's queue and one on another, each waiting for an approval. */
async function open(server: TestServer) {
  const operator = await operatorOf(server);
  const node = await createNode({
    ...{ servers: server.url, user: "node", password: "node" },
    jobs: [mail, payroll].map((job) => job.handler(({ step }) => step.waitFor("approval"))),
  });
  await node.start();
  cleanUpLater(() => node.stop());
  const [own, others] = await Promise.all([
    operator.enqueue(mail, undefined, { id: "m-1" }),
    operator.enqueue(payroll, undefined, { id: "p-1" }),
  ]);
  for (const handle of [own, others])
    await eventually(async () => (await handle.status()).state === "delayed", {
      withinMs: 60_000,
      describe: "the job waits",
    });
  return { operator, own, others, shop: await asRole(server, "shop") };
}

async function answerTo(shop: NatsConnection, subject: string, body: string, more = {}) {
  const ack = await shop.request(subject, body, { timeout: 20_000, ...more });
  return ack.json<{ error?: { description: string }; seq?: number }>();
}

describeEachServer(
  "a producer that sends signals",
  (server) => {
    it("reaches the jobs of its own queues, and nothing else", async () => {
      const { operator, own, others, shop } = await open(server);
      await expect(shop.request("millrace.signal.payroll.p-1.approval", "true")).rejects.toThrow(
        /permissions violation/i,
      );
      // No subject of another shape: nobody stores it.
      for (const subject of ["mail.m-1", "mail.m-1.approval.more"])
        await expect(shop.request(`millrace.signal.${subject}`, "true")).rejects.toThrow(
          /no responders/i,
        );

      // An id that is taken in advance, by the server's header and by ours.
      const taken = headers();
      taken.set("Nats-Msg-Id", "raise-1");
      taken.set("Millrace-Signal-Id", "raise-1");
      await answerTo(shop, "millrace.signal.mail.m-1.other", "1", { headers: taken });
      await operator.signal(payroll, "p-1", "approval", "granted", { id: "raise-1" });
      expect(await others.result({ timeout: "2m" })).toBe("granted");

      // What would remove what others have sent.
      const rollup = headers();
      rollup.set("Nats-Rollup", "all");
      const refused = await answerTo(shop, "millrace.signal.mail.m-1.x", "1", { headers: rollup });
      expect(refused.error?.description).toMatch(/rollup/i);

      const large = `"${"x".repeat(MAX_SIGNAL_BYTES + 8_192)}"`;
      const tooLarge = await answerTo(shop, "millrace.signal.mail.m-1.x", large);
      expect(tooLarge.error?.description).toMatch(/maximum allowed/);
      for (let sent = 0; sent < MAX_WAITING_SIGNALS; sent += 1)
        await answerTo(shop, "millrace.signal.mail.m-1.flood", "1");
      const tooMany = await answerTo(shop, "millrace.signal.mail.m-1.flood", "1");
      expect(tooMany.error?.description).toMatch(/maximum messages per subject/);

      for (const rubbish of ["{", "12345678901234567890", '{"__proto__":1}'])
        await answerTo(shop, "millrace.signal.mail.m-1.approval", rubbish);
      await answerTo(shop, "millrace.signal.mail.m-1.approval", '"shop\'s own"');
      expect(await own.result({ timeout: "2m" })).toBe("shop's own");
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
