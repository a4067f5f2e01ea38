import { headers as newHeaders } from "@nats-io/nats-core";
import { tickJobId } from "@millrace/core";
import { createNode, defineJob, defineSchedule, type OverlapPolicy } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { asRole, operatorOf, passwordServer } from "../permissions/roles.ts";

const EVERY_MS = 1_000;
/** A year: what waits for so long counts as going on. */
const FAR_MS = 365 * 24 * 3_600_000;

let schedules = 0;

/** A schedule of every second in the producer's queue; its ticks begin once the node is started. */
async function scheduled(server: TestServer, overlap: OverlapPolicy = "allow") {
  schedules += 1;
  const name = `it-${schedules}`;
  const ran: string[] = [];
  const nightly = defineJob({ name: "mail.nightly", queue: "mail" });
  const plain = defineJob<unknown>({ name: "mail.send", queue: "mail" });
  const node = await createNode({
    servers: server.url,
    user: "node",
    password: "node",
    jobs: [nightly.handler(({ job: { id } }) => void ran.push(id)), plain.handler(() => 1)],
    schedules: [
      defineSchedule({ name, cron: "* * * * * *", job: nightly, missed: { all: 100 }, overlap }),
    ],
  });
  cleanUpLater(() => node.stop());
  const operator = await operatorOf(server);
  await operator.queues.ensure("mail");
  const shop = await asRole(server, "shop");
  const first = Math.ceil(Date.now() / EVERY_MS) * EVERY_MS + 5_000;
  return {
    ran,
    start: () => node.start(),
    /** What is counted of it, and then its end. */
    counted: async () => {
      const schedule = (await operator.cron.list()).find((one) => one.name === name);
      await operator.cron.remove(name);
      await node.stop();
      return { fired: schedule?.state.fired ?? 0, skipped: schedule?.state.skipped };
    },
    /** The id of the nth tick from five seconds on. */
    tick: (n: number) => tickJobId(name, first + n * EVERY_MS),
    send: async (job: Readonly<Record<string, unknown>>, messageId: string): Promise<void> => {
      const head = newHeaders();
      head.set("Nats-Msg-Id", messageId);
      const body = JSON.stringify({ name: "mail.send", payload: null, ...job });
      await shop.request("millrace.jobs.mail", body, { headers: head, timeout: 5_000 });
    },
    runs: (id: string): Promise<unknown> =>
      eventually(() => ran.includes(id), { withinMs: 30_000, describe: `the tick ${id} has run` }),
  };
}

describeEachServer(
  "a tick whose id a producer took in advance",
  (server) => {
    it.each<[what: string, job: (tick: string) => Readonly<Record<string, unknown>>]>([
      ["by any job", () => ({})],
      ["by a job that has run and calls itself the tick's", (id) => ({ id })],
      ["by one that waits for long", (id) => ({ id, notBefore: Date.now() + FAR_MS })],
      [
        "by one that says of which tick it is",
        (id) => ({
          ...{ id, notBefore: Date.now() + FAR_MS },
          headers: { "schedule-tick": new Date().toISOString(), "schedule-token": "1" },
        }),
      ],
    ])("runs all the same: %s", async (what, job) => {
      const { ran, start, counted, tick, send, runs } = await scheduled(server);
      for (let n = 0; n < 3; n += 1) await send(job(tick(n)), tick(n));
      await start();
      await runs(tick(4));
      for (let n = 0; n < 5; n += 1) expect(ran, what).toContain(tick(n));
      expect(new Set(ran).size).toBe(ran.length);
      expect((await counted()).skipped).toBe(0);
    });

    it("runs all the same: by a job that follows the producer's own, on the runtime's door", async () => {
      const { ran, start, counted, tick, send, runs } = await scheduled(server);
      for (let n = 0; n < 3; n += 1)
        await send(
          { id: `before-${n}`, next: [{ id: tick(n), name: "mail.send", queue: "mail" }] },
          `before-${n}`,
        );
      await start();
      await runs(tick(4));
      for (let n = 0; n < 5; n += 1) expect(ran).toContain(tick(n));
      await counted();
    });

    it.each(["skip", "queue"] as const)(
      "is not taken to go on, and no later one waits for it: overlap %s",
      async (overlap) => {
        const { ran, start, counted, tick, send, runs } = await scheduled(server, overlap);
        for (let n = 0; n < 5; n += 1)
          await send({ id: tick(n), notBefore: Date.now() + FAR_MS }, `mine-${overlap}-${n}`);
        await start();
        await runs(tick(4));
        expect(ran.length).toBeGreaterThan(3);
        expect((await counted()).fired).toBeGreaterThan(3);
      },
    );
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
