import { jetstream } from "@nats-io/jetstream";
import { connect, headers as natsHeaders } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { startProxy } from "../harness/proxy.ts";
import { jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";

/** What another has written. */
async function publish(
  servers: string,
  subject: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<void> {
  const nc = await connect({ servers });
  const headers = natsHeaders();
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  await jetstream(nc).publish(subject, new Uint8Array(), { headers });
  await nc.close();
}

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

  test("has none either where the call that wrote it died before it took it out", async () => {
    await using server = await start();
    const broker = await connected({ servers: server.url });
    const members = ["left", "stays"].map((id) => ({ id, queue: "mail" }));
    const [left = { id: "", queue: "" }] = members;
    await broker.batches.open({ id: "b", createdAt: 1, callback: jobFor("mail") });
    await broker.batches.join("b", members);
    await broker.batches.leave("b", left, "succeeded");
    await publish(server.url, "millrace.batch.b.job.mail.left");
    expect(await broker.batches.left("b")).toBe(2);
    await broker.batches.join("b", [left]);
    expect(await broker.batches.left("b")).toBe(1);
  });
});

describeOnOwnServers("a batch that a producer of an earlier version has made", (start) => {
  test("is left by its jobs, also where it is made again", async () => {
    await using server = await start();
    const broker = await connected({ servers: server.url });
    const members = ["a", "b"].map((id) => ({ id, queue: "mail" }));
    await broker.batches.open({ id: "b", createdAt: 1, callback: jobFor("mail") });
    for (const { id } of members)
      await publish(server.url, `millrace.batch.b.job.${id}`, { "Millrace-Queue": "mail" });
    expect(await broker.batches.leave("b", { id: "a", queue: "other" }, "dead")).toBeUndefined();
    await broker.batches.join("b", members);
    expect(await broker.batches.left("b")).toBe(2);
    const left = [];
    for (const member of members) left.push(await broker.batches.leave("b", member, "succeeded"));
    expect(left).toEqual([true, false]);
    expect(await broker.batches.ended("b")).toHaveLength(2);
  });
});
