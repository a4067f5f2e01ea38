import { expect, test } from "vitest";
import { startProxy } from "../harness/proxy.ts";
import { jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";

describeOnOwnServers("a batch that is made again while a job of it leaves", (start) => {
  test("has no job that nobody takes out any more", async () => {
    await using server = await start();
    const proxy = await startProxy(server.url);
    const broker = await connected({ servers: server.url });
    const again = await connected({ servers: proxy.url });
    const members = ["left", "stays"].map((id) => ({ id, queue: "mail" }));
    const [left = { id: "", queue: "" }, stays = left] = members;
    await broker.batches.open({ id: "b", createdAt: 1, callback: jobFor("mail") });
    await broker.batches.join("b", members);

    // It has read which jobs have ended, and its own writes are late.
    const writes = Promise.withResolvers<void>();
    const pass = proxy.dropToServer(({ subject }) => {
      const isWrite = subject.startsWith("millrace.batch.b.job.");
      if (isWrite) writes.resolve();
      return isWrite;
    });
    const joined = again.batches.join("b", members);
    await writes.promise;
    await broker.batches.leave("b", left, "succeeded");
    pass();
    await joined;

    expect(await broker.batches.left("b")).toBe(1);
    expect(await broker.batches.leave("b", stays, "succeeded")).toBe(false);
    expect(await broker.batches.ended("b")).toHaveLength(2);
  });
});
