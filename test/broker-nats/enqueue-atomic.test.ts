import { defineJob } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { mail, producerOn } from "./producer-line.ts";

const itemsOf = (count: number) => Array.from({ length: count }, (_, n) => ({ input: { n } }));
const ATOMIC = { atomic: true };

describeEachServer("jobs that are enqueued as one", (server) => {
  const producer = (settings?: { readonly maxJobs?: number }) => producerOn(server, settings);

  describe.runIf(server.generation === "2.10")("on a server that can't", () => {
    test("are refused, and the others are not", async () => {
      const { client, queued } = await producer();
      await expect(client.enqueueMany(mail, itemsOf(3), ATOMIC)).rejects.toMatchObject({
        code: "server-too-old",
        message: expect.stringContaining("2.12"),
      });
      expect(await queued()).toBe(0);
      await client.enqueueMany(mail, itemsOf(3), { atomic: false });
      expect(await queued()).toBe(3);
    });
  });

  describe.runIf(server.generation === "newest")("on a server that can", () => {
    test("are all there, a thousand of them, those for later too", async () => {
      const { client, queued } = await producer();
      const results = await client.enqueueMany(mail, itemsOf(1_000), ATOMIC);
      expect(results.every((result) => result.ok && !result.duplicate)).toBe(true);
      expect(new Set(results.map(({ id }) => id)).size).toBe(1_000);
      const later = itemsOf(2).map((item) => ({ ...item, delay: "1h" as const }));
      await client.enqueueMany(mail, later, ATOMIC);
      expect(await client.enqueueMany(mail, [], ATOMIC)).toEqual([]);
      expect(await queued()).toBe(1_002);
    });

    test("are none where one can't be made, is too large, or there are too many", async () => {
      const { client, queued } = await producer();
      const large = { input: { n: 1, text: "x".repeat(2_000_000) } };
      const refused = (items: Parameters<typeof client.enqueueMany>[1], code: string) =>
        expect(client.enqueueMany(mail, items as never, ATOMIC)).rejects.toMatchObject({ code });
      await refused([...itemsOf(2), large], "payload-too-large");
      await refused([...itemsOf(2), { input: { n: 1 }, id: "not an id" }], "invalid-name");
      await refused(itemsOf(1_001), "invalid-option");
      await refused([{ input: { n: 1 }, unique: { key: "k" } }], "invalid-option");
      expect(await queued()).toBe(0);
    });

    test("are none where there is no room for all", async () => {
      const { client, queued } = await producer({ maxJobs: 5 });
      await client.enqueueMany(mail, itemsOf(3), ATOMIC);
      await expect(client.enqueueMany(mail, itemsOf(3), ATOMIC)).rejects.toMatchObject({
        code: "queue-full",
      });
      expect(await queued()).toBe(3);
      await client.enqueueMany(mail, itemsOf(2), ATOMIC);
      expect(await queued()).toBe(5);
    });

    test("are none where there is no queue, or it is closed", async () => {
      const { client, queued } = await producer();
      const gone = defineJob<{ n: number }>({ name: "gone", queue: "gone" });
      await expect(client.enqueueMany(gone, itemsOf(2), ATOMIC)).rejects.toMatchObject({
        code: "queue-not-found",
      });
      await client.queues.drain("q");
      await expect(client.enqueueMany(mail, itemsOf(2), ATOMIC)).rejects.toMatchObject({
        code: "queue-closed",
      });
      expect(await queued()).toBe(0);
    });

    test("with an id that is there already are told so, and the others are stored", async () => {
      const { client, queued } = await producer();
      await client.enqueue(mail, { n: 1 }, { id: "b" });
      const items = ["a", "b", "c", "a"].map((id, n) => ({ id, input: { n } }));
      const results = await client.enqueueMany(mail, items, ATOMIC);
      expect(results.map((result) => result.ok && result.duplicate)).toEqual([
        false,
        true,
        false,
        true,
      ]);
      expect(await queued()).toBe(3);
      const again = await client.enqueueMany(mail, items, ATOMIC);
      expect(again.every((result) => result.ok && result.duplicate)).toBe(true);
      expect(await queued()).toBe(3);
    });

    test("whose acknowledgement is lost are there once", async () => {
      const { namespace, proxy, client, queued } = await producer();
      await client.enqueueMany(mail, itemsOf(1), ATOMIC);
      let lost = 0;
      proxy.dropFromServer(({ payload }) => {
        const isFirst = payload.includes('"count":20') && payload.includes(namespace) && lost === 0;
        if (isFirst) lost += 1;
        return isFirst;
      });
      const enqueued = client.enqueueMany(mail, itemsOf(20), ATOMIC);
      const results = await within(enqueued, 40_000, "the jobs to be confirmed");
      expect(lost).toBe(1);
      expect(results.every(({ ok }) => ok)).toBe(true);
      expect(await queued()).toBe(21);
    });

    test("while the server is killed are there, all of them, once", async () => {
      const { namespace, proxy, client, queued } = await producer();
      await client.enqueueMany(mail, itemsOf(1), ATOMIC);
      let passed = 0;
      const whole = proxy.dropToServer(
        ({ subject }) => subject === `${namespace}.jobs.q` && (passed += 1) > 10,
      );
      const enqueued = client.enqueueMany(mail, itemsOf(20), ATOMIC);
      await expect.poll(() => passed, { timeout: 20_000 }).toBe(20);
      whole();
      await server.kill();
      await server.restart();
      const results = await within(enqueued, 60_000, "the jobs to be confirmed");
      expect(results.every(({ ok }) => ok)).toBe(true);
      expect(await queued()).toBe(21);
    });
  });
});
