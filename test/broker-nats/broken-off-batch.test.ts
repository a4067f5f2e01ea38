import { type Batch, callBack } from "@millrace/core";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";

describeOnOwnServers("a batch whose removal was broken off", (start) => {
  test("leaves nothing once the job that was the last has come again", async () => {
    await using server = await start();
    const broker = await connected({ servers: server.url });
    await broker.queues.ensure("mail");
    const made = async (id: string, members: readonly string[]): Promise<Batch> => {
      const batch = { id, createdAt: 1, callback: jobFor("mail") };
      await broker.batches.open(batch);
      await broker.batches.join(
        id,
        members.map((member) => ({ id: member, queue: "mail" })),
      );
      for (const member of members)
        await broker.batches.leave(id, { id: member, queue: "mail" }, "succeeded");
      return batch;
    };
    await made("one", ["a", "b"]);
    await made("other", ["a"]);
    // Who removed it died after the first of three steps.
    const { jsm } = await administrator(server);
    await jsm.streams.purge("millrace-batches", { filter: "millrace.batch.one" });
    expect(await broker.batches.find("one")).toBeUndefined();
    expect(await broker.batches.ended("one")).toHaveLength(2);
    await callBack(broker, "one", () => Promise.reject(new Error("called back again")), true);
    expect(await broker.batches.ended("one")).toEqual([]);
    expect(await broker.batches.ended("other")).toHaveLength(1);
    await made("one", ["c"]);
    await broker.batches.removeRest("one");
    expect(await broker.batches.ended("one")).toEqual([{ id: "c", end: "succeeded" }]);
  });
});
