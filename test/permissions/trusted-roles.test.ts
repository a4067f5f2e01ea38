import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createNode, defineJob, defineSchedule, fatal } from "millrace";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, nkeyExample, passwordServer } from "./roles.ts";
import { patient } from "../harness/cluster/mode.ts";

const QUEUE = "work";
const plain = defineJob<{ n: number }>({ name: "plain", queue: QUEUE });
const flaky = defineJob<null>({
  name: "flaky",
  queue: QUEUE,
  retry: { attempts: 2, base: "1.2s" },
});
const alone = defineJob<null>({ name: "alone", queue: QUEUE, singleton: true });
const once = defineJob<null>({ name: "once", queue: QUEUE, unique: { key: () => "k" } });
const capped = defineJob<{ t: string }>({
  name: "capped",
  queue: QUEUE,
  concurrency: { key: ({ t }) => t, limit: 1 },
});
const doomed = defineJob<null>({ name: "doomed", queue: QUEUE });
const endless = defineJob<null>({ name: "endless", queue: QUEUE });
const tick = defineJob<null>({ name: "tick", queue: QUEUE });

describeEachServer(
  "deploy/nats/authorization.conf: the roles inside",
  (server) => {
    it("a node does all it does, an operator all there is, and neither is refused anything", async () => {
      const as = (role: "node" | "operator") => ({
        servers: server.url,
        user: role,
        password: role,
      });
      const ticks = Promise.withResolvers<void>();
      const began = Promise.withResolvers<void>();
      let failures = 0;
      const node = await createNode({
        ...as("node"),
        graceMs: 2_000,
        jobs: [
          plain.handler(async ({ input, progress, enqueue }) => {
            progress(50, "half");
            if (input.n === 0) await enqueue(plain, { n: 1 }, { id: "child" });
            return input.n;
          }),
          flaky.handler(() => {
            if ((failures += 1) === 1) throw new Error("once more");
            return "flaky";
          }),
          alone.handler(() => "alone"),
          once.handler(() => "once"),
          capped.handler(() => "capped"),
          doomed.handler(() => {
            throw fatal("never");
          }),
          endless.handler(({ signal }) => {
            began.resolve();
            return new Promise((_, reject) => signal.addEventListener("abort", reject));
          }),
          tick.handler(() => ticks.resolve()),
        ],
        schedules: [defineSchedule({ name: "ticks", cron: "* * * * * *", job: tick, input: null })],
      });
      onTestFinished(() => node.stop());
      await node.start();
      await using operator = await connect(as("operator"));

      const results = [
        await operator.enqueue(plain, { n: 0 }, { id: "parent" }),
        await operator.enqueue(flaky, null),
        await operator.enqueue(alone, null),
        await operator.enqueue(once, null),
        await operator.enqueue(capped, { t: "acme" }),
        await operator.enqueue(plain, { n: 7 }, { delay: "1.2s", priority: "low" }),
        operator.handle("child", QUEUE),
      ].map((handle) => handle.result({ timeout: patient(20_000) }));
      expect(await Promise.all(results)).toEqual([0, "flaky", "alone", "once", "capped", 7, 1]);
      await ticks.promise;

      const running = await operator.enqueue(endless, null);
      await began.promise;
      await running.cancel("enough");
      await expect(running.result({ timeout: patient(20_000) })).rejects.toMatchObject({
        code: "cancelled",
      });

      const dead = await operator.enqueue(doomed, null, { id: "doomed-1" });
      await expect(dead.result({ timeout: patient(20_000) })).rejects.toMatchObject({
        code: "fatal",
      });
      expect(await operator.dead.retry({ id: "doomed-1" })).toMatchObject([{ ok: true }]);
      const letter = await eventually(
        async () => (await operator.dead.list({ id: "doomed-1" }))[0],
        {
          withinMs: 20_000,
          describe: "it is dead again",
        },
      );
      expect(letter).toMatchObject({ reason: "fatal" });
      const again = { kind: "dead-retry", filter: { queue: QUEUE } } as const;
      const { id } = await operator.operations.start(again);
      expect(await operator.operations.run(id)).toMatchObject({ total: 1, done: 1 });

      await operator.queues.pause(QUEUE, { reason: "looking" });
      await operator.enqueue(plain, { n: 2 });
      expect(await operator.queues.purge(QUEUE)).toMatchObject({
        cancelled: expect.any(Number) as number,
      });
      await operator.queues.resume(QUEUE);
      await operator.lock("by-hand", { lease: "5s" }, () => undefined);
      await operator.queues.set(QUEUE, { concurrency: 5 });
    });

    it("a node deletes no stream, writes no audit record, asks for no operation and touches nothing outside", async () => {
      // A bare client does not ask again what a dying member was asked.
      await server.calm();
      const node = await asRole(server, "node");
      const refused = [
        "$JS.API.STREAM.DELETE.millrace-dead",
        "$JS.API.STREAM.SNAPSHOT.millrace-dead",
        "other.jobs.mail",
        "$KV.millrace-audit.001795569586662-b44535c0a6",
        "$JS.API.STREAM.CREATE.KV_millrace-audit",
        "$JS.API.STREAM.PURGE.KV_millrace-audit",
        "$JS.API.STREAM.MSG.DELETE.KV_millrace-audit",
        // What stands there is done with an operator's rights.
        "$KV.millrace-operations.001795569586662-b44535c0a6",
        "$JS.API.STREAM.CREATE.KV_millrace-operations",
        "$JS.API.STREAM.MSG.DELETE.KV_millrace-operations",
        "$KV.millrace-operation-plans.001795569586662-b44535c0a6.0",
        "$JS.API.STREAM.CREATE.KV_millrace-operation-plans",
        "$KV.millrace-operation-kept.001795569586662-b44535c0a6.0",
        "$JS.API.STREAM.CREATE.KV_millrace-operation-kept",
      ];
      for (const subject of refused)
        await expect(node.request(subject, ""), subject).rejects.toThrow(/permissions violation/i);
    });
  },
  passwordServer(),
);

const nkeyed = nkeyExample();

describeEachServer(
  "deploy/nats/authorization-nkeys.conf",
  (server) => {
    it("a node serves, a producer enqueues, and neither is who it isn't", async () => {
      const dir = await mkdtemp(join(tmpdir(), "millrace-nkeys-"));
      onTestFinished(() => rm(dir, { recursive: true, force: true }));
      for (const [role, seed] of Object.entries(nkeyed.seeds))
        await writeFile(join(dir, role), seed, { mode: 0o600 });
      const mail = defineJob<null>({ name: "mail.send", queue: "mail" });
      const ran = Promise.withResolvers<string>();
      const node = await createNode({
        servers: server.url,
        nkeyFile: join(dir, "node"),
        jobs: [mail.handler(({ job }) => ran.resolve(job.id))],
      });
      onTestFinished(() => node.stop());
      await node.start();
      await using shop = await connect({ servers: server.url, nkeyFile: join(dir, "shop") });
      await shop.enqueue(mail, null, { id: "by-nkey" });
      expect(await ran.promise).toBe("by-nkey");
      const payroll = defineJob<null>({ name: "payroll.pay", queue: "payroll" });
      await expect(shop.enqueue(payroll, null)).rejects.toMatchObject({
        code: "permission-denied",
      });
      await expect(connect({ servers: server.url })).rejects.toMatchObject({ code: "auth-failed" });
    });
  },
  { config: nkeyed.config, connectWith: nkeyed.connectWith },
);
