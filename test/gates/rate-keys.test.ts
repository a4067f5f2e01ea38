import { defineJob, UNSETTLED } from "@millrace/core";
import { expect, it } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

/** A key is remembered for half a minute after it has its whole burst back. */
const FORGOTTEN_WITHIN_MS = 90_000;

describeEachServer("keys that had a rate", (server) => {
  it("leave nothing in their bucket, not even a mark", async () => {
    const ran: string[] = [];
    const job = defineJob<{ readonly user: string }>({
      name: "t",
      queue: "work",
      rateLimit: { key: ({ user }) => user, limit: 1, per: "1s" },
    }).handler(({ job: { id } }) => {
      ran.push(id);
    });
    const { broker, namespace } = await startNodeOnServer(server, { jobs: [job], slots: 8 });
    const { jsm } = await administrator(server);
    const stored = async () => (await jsm.streams.info(`KV_${namespace}-rates`)).state.messages;
    const ids = ["a", "b", "c"];
    await broker.enqueue(
      ids.map((id) => ({
        ...UNSETTLED,
        ...{ id, name: "t", queue: "work", payload: { user: id }, createdAt: Date.now() },
        headers: {},
      })),
    );
    await eventually(() => ran.length === ids.length, {
      withinMs: FORGOTTEN_WITHIN_MS,
      describe: "all have run",
    });
    expect(await stored()).toBe(ids.length);
    await eventually(async () => (await stored()) === 0, {
      withinMs: FORGOTTEN_WITHIN_MS,
      describe: "nothing is left of the keys",
    });
  });
});
