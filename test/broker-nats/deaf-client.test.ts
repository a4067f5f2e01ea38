import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineJob, isNotStored, MillraceError } from "@millrace/core";
import { connect } from "millrace";
import { describe, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { isPubAck } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeOnOwnServers } from "./real-server.ts";

vi.setConfig({ testTimeout: 60_000 });

const job = defineJob<{ n: number }>({ name: "t.job", queue: "mail" });
const items = (count: number) => Array.from({ length: count }, (_, n) => ({ input: { n } }));
const HEARS = `subscribe: ">"`;
const DEAF = `subscribe: { deny: "_INBOX.>" }`;
const PING = ".4.$FI";

const configOf = (permissions: string): string =>
  `authorization { users: [ { user: admin, password: admin }, { user: shop, password: shop, permissions: { ${permissions} } } ] }`;

/** What the server did with the message can't be heard. */
const unheard = {
  code: "publish-timeout",
  message: expect.stringMatching(/may not subscribe to .*may or may not be stored/u),
  cause: expect.objectContaining({ code: "permission-denied" }),
};

describeOnOwnServers("who may not listen to its inbox any more", (start, generation) => {
  /** A client whose acknowledgements can be kept from it, and who then loses the permission. */
  async function producer() {
    const server = await start({ config: configOf(HEARS) });
    cleanUpLater(() => server.stop());
    const admin = await connect({ servers: server.url, user: "admin", password: "admin" });
    cleanUpLater(() => admin.close());
    await admin.queues.ensure("mail");
    const proxy = await startProxy(server.url);
    const client = await connect({ servers: proxy.url, user: "shop", password: "shop" });
    cleanUpLater(() => client.close());
    const answered = Promise.withResolvers<void>();
    proxy.dropFromServer(({ subject }) => {
      if (subject.endsWith(PING)) answered.resolve();
      return false;
    });
    /** @returns resolves when an acknowledgement got lost */
    const loseAcks = (): Promise<void> => {
      const lost = Promise.withResolvers<void>();
      proxy.dropFromServer((frame) => {
        const isAck = isPubAck(frame) || frame.subject.includes(".$FI");
        if (isAck) lost.resolve();
        return isAck;
      });
      return within(lost.promise, 20_000, "an acknowledgement to be lost");
    };
    const takeHearing = async (): Promise<void> => {
      const file = join(server.storeDir, "nats-server.conf");
      const text = await readFile(file, "utf8");
      await writeFile(file, text.replace(configOf(HEARS), configOf(DEAF)));
      process.kill(server.pid, "SIGHUP");
    };
    const queued = async (): Promise<number> =>
      (await admin.queues.list()).find(({ queue }) => queue === "mail")?.queued ?? 0;
    /** Once it is known whether the queue takes many as one. */
    const warm = async (): Promise<void> => {
      await client.enqueueMany(job, items(2));
      await within(answered.promise, 20_000, "the queue to be asked");
    };
    return { client, admin, queued, loseAcks, takeHearing, warm };
  }

  test("is told that its job may be stored, which it is", async () => {
    const { client, queued, loseAcks, takeHearing } = await producer();
    const lost = loseAcks();
    const enqueued = client.enqueue(job, { n: 1 });
    enqueued.catch(() => {});
    await lost;
    await takeHearing();
    await expect(enqueued).rejects.toMatchObject(unheard);
    expect(await queued()).toBe(1);
    // Nothing more is sent, and what was never sent is not stored.
    const refused: unknown = await client.enqueue(job, { n: 2 }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "permission-denied" });
    expect(MillraceError.is(refused) && isNotStored(refused)).toBe(true);
    expect(await queued()).toBe(1);
  });

  describe.runIf(generation === "newest")("on a server that takes many at once", () => {
    test("is told so of each of many jobs", async () => {
      const { client, queued, loseAcks, takeHearing, warm } = await producer();
      await warm();
      const lost = loseAcks();
      const enqueued = client.enqueueMany(job, items(20));
      await lost;
      await takeHearing();
      for (const result of await enqueued)
        expect(result).toMatchObject({ ok: false, error: unheard });
      expect(await queued()).toBe(22);
    });

    test("is told so of jobs that are stored all or none", async () => {
      const { client, admin, queued, loseAcks, takeHearing } = await producer();
      await admin.enqueueMany(job, items(2), { atomic: true });
      await client.enqueueMany(job, items(2), { atomic: true });
      const lost = loseAcks();
      const enqueued = client.enqueueMany(job, items(3), { atomic: true });
      enqueued.catch(() => {});
      await lost;
      await takeHearing();
      await expect(enqueued).rejects.toMatchObject({
        code: "publish-timeout",
        message: expect.stringMatching(/may be stored.*may not subscribe/u),
      });
      expect(await queued()).toBe(7);
    });
  });
});
