import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { retryingRequests } from "../../packages/broker-nats/src/connection/retrying-requests.ts";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { readStream } from "../../packages/broker-nats/src/reads/read-stream.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { clusterMode, REPLICAS } from "../harness/cluster/mode.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";

const MESSAGES = 2_000;

describeEachServer("a long stream is read whole", (server) => {
  async function connected(servers = server.url) {
    const nc = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    cleanUpLater(() => nc.close());
    return { nc, jsm: await jetstreamManager(retryingRequests(nc)) };
  }

  async function filled(stream: string, nc: NatsConnection): Promise<void> {
    const jsm = await jetstreamManager(retryingRequests(nc));
    const replicas = clusterMode() === undefined ? 1 : REPLICAS;
    await jsm.streams.add({ name: stream, subjects: [`${stream}.>`], num_replicas: replicas });
    const publisher = new ConfirmedPublisher(nc);
    cleanUpLater(() => publisher.close());
    const data = Buffer.alloc(1_000);
    await publisher.publishMany(
      Array.from({ length: MESSAGES }, (_, n) => ({
        subject: `${stream}.m${n}`,
        data,
        headers: { "Nats-Msg-Id": `m${n}` },
      })),
    );
  }

  const all = Array.from({ length: MESSAGES }, (_, n) => n + 1);

  test("though its reader is gone after each of its batches", async () => {
    const stream = server.namespace();
    const { nc, jsm } = await connected();
    await filled(stream, nc);
    const read: number[] = [];
    for await (const { sequence } of readStream(nc, jsm, { stream, filter: `${stream}.>` })) {
      read.push(sequence);
      if (sequence % 500 !== 0) continue;
      // One that died with its member can't be deleted.
      await server.calm();
      // As when the member of a cluster dies that had it.
      for (const { name } of await jsm.consumers.list(stream).next())
        await jsm.consumers.delete(stream, name);
    }
    expect(read).toEqual(all);
  });

  test("though the rest of a batch gets lost on its way", async () => {
    const stream = server.namespace();
    const writer = await connected();
    await filled(stream, writer.nc);
    const proxy = await startProxy(server.url);
    const { nc, jsm } = await connected(proxy.url);
    let passed = 0;
    const heal = proxy.dropFromServer(({ payload }) => {
      if (payload.length === 1_000) passed += 1;
      // From the middle of the first batch to its end, which is lost too.
      const isLost = passed > 100 && passed <= 500;
      if (passed === 500) queueMicrotask(heal);
      return isLost && payload.length === 1_000;
    });
    const read: number[] = [];
    for await (const { sequence } of readStream(nc, jsm, { stream, filter: `${stream}.>` }))
      read.push(sequence);
    expect(proxy.dropped).toBeGreaterThan(300);
    expect(read).toEqual(all);
  });

  test("up to its end at that moment, its limit, and from where it was asked", async () => {
    const stream = server.namespace();
    const { nc, jsm } = await connected();
    await filled(stream, nc);
    const publisher = new ConfirmedPublisher(nc);
    cleanUpLater(() => publisher.close());
    const read: number[] = [];
    for await (const { sequence } of readStream(nc, jsm, {
      ...{ stream, filter: `${stream}.>`, from: 301 },
    })) {
      read.push(sequence);
      // A writer who is as fast as the reader.
      if (sequence > 1_000) await publisher.publish(`${stream}.later`, Buffer.alloc(1), undefined);
    }
    expect(read).toEqual(all.slice(300));
    const some: number[] = [];
    const range = { stream, filter: `${stream}.>`, limit: 900 };
    for await (const { sequence } of readStream(nc, jsm, range)) some.push(sequence);
    expect(some).toEqual(all.slice(0, 900));
  });
});
