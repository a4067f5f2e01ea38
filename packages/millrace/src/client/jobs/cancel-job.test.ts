import { defineJob, systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { createNode } from "@millrace/runtime";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../client.ts";
import { connect } from "../connect.ts";
import { jobHandle } from "./job-handle.ts";

/**
 * A client in whose fleet nobody answers who runs a job: on a server that silence takes as long as
 * is allowed.
 */
async function inSilence() {
  const server = new MemoryServer(systemClock);
  const broker = new MemoryBroker({ clock: systemClock, server });
  broker.whoRuns = () => new Promise(() => {});
  const client = await connect({ broker });
  onTestFinished(() => client.close());
  const job = defineJob({ name: "t", queue: "q" });
  await client.queues.ensure("q");
  return { server, client, job };
}

test("a job that has ended is known without waiting for a node to say that it runs it", async () => {
  const { server, client, job } = await inSilence();
  const node = createNode({
    broker: new MemoryBroker({ clock: systemClock, server }),
    jobs: [job.handler(() => "done")],
  });
  onTestFinished(() => node.stop());
  await node.start();
  const handle = await client.enqueue(job, null);
  await handle.result();
  expect(await client.cancel(handle.id, { queue: "q" })).toMatchObject({ state: "succeeded" });
});

test("so is one that never was", async () => {
  const { client } = await inSilence();
  await expect(client.cancel("nobody", { queue: "q" })).rejects.toMatchObject({
    code: "job-not-found",
  });
});

test("and one that waits is cancelled", async () => {
  const { client, job } = await inSilence();
  const handle = await client.enqueue(job, null);
  expect(await client.cancel(handle.id, { queue: "q" })).toMatchObject({ state: "cancelling" });
});

test("one that was on record is, and no job that was stored later under its id", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const client = createClient(broker, clock);
  onTestFinished(() => client.close());
  const job = defineJob({ name: "t", queue: "q" });
  await client.queues.ensure("q");
  await client.enqueue(job, 1, { id: "a", delay: "1h" });
  const known = { id: "a", queue: "q", duplicate: true, onRecordSince: clock.now() };
  const handle = jobHandle(broker, clock, known);
  expect(await handle.cancel()).toMatchObject({ state: "cancelling" });
  const before = { ...known, onRecordSince: clock.now() - 1 };
  await expect(jobHandle(broker, clock, before).cancel()).rejects.toMatchObject({
    code: "job-not-found",
  });
});
