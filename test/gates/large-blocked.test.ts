import { defineJob, encodeMsgpack, systemClock, UNSETTLED, type Envelope } from "@millrace/core";
import { purgeQueue } from "@millrace/runtime";
import { connect, headers as natsHeaders } from "@nats-io/transport-node";
import { connect as connectClient } from "millrace";
import { expect, it } from "vitest";
import { encodeGate } from "../../packages/broker-nats/src/messages/gate-header.ts";
import { gateToken } from "../../packages/broker-nats/src/messages/gate-token.ts";
import { sizeLimits } from "../../packages/broker-nats/src/topology/size-limits.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer, type NodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

const QUEUE = "work";
/** A gate's name takes six bytes for each of these. */
const LONG_KEY = "é".repeat(250);
const GATE = `cap/${QUEUE}/${LONG_KEY}`;
const { queue: MOST, producer: MOST_OF_A_PRODUCER } = sizeLimits(1024 * 1024);
const WITHIN_MS = 30_000;

interface Started extends NodeOnServer {
  readonly ran: string[];
  readonly letGo: () => void;
}

describeEachServer("a job that is nearly too large for its queue", (server) => {
  it("becomes a dead letter instead of being blocked, and those behind it run", async () => {
    const { broker, ran, letGo } = await startLimited(server);
    await broker.enqueue([jobOf("holder", { holds: true })]);
    await eventually(() => ran.includes("holder"), {
      withinMs: WITHIN_MS,
      describe: "the holder of the key's only permit runs",
    });
    await broker.enqueue([jobOf("large", { x: "a".repeat(MOST_OF_A_PRODUCER - 300) })]);
    await eventually(async () => (await broker.deadLetters.list()).length === 1, {
      withinMs: WITHIN_MS,
      describe: "the large one is a dead letter",
    });
    expect(await broker.deadLetters.list()).toMatchObject([
      { id: "large", reason: "payload-too-large" },
    ]);
    await broker.enqueue([jobOf("small", {})]);
    letGo();
    await haveRun(ran, ["holder", "small"]);
  });

  it("that an earlier version blocked is let in, or passed over", async () => {
    const { broker, ran, namespace } = await startLimited(server);
    const nc = await connect({ servers: server.url });
    cleanUpLater(() => nc.close());
    // As that version stored them: without room for what is added when they are let in.
    await nc.request(...blockedAs(namespace, "nearly", MOST - 400));
    await nc.request(...blockedAs(namespace, "never", MOST + 10));
    await nc.request(...blockedAs(namespace, "small", 1_000));
    await haveRun(ran, ["nearly", "small"]);
    expect(await broker.blocked.release(QUEUE, GATE, 1)).toBe(0);
    expect((await broker.blocked.list()).map(({ envelope }) => envelope.id)).toEqual(["never"]);
  });

  it("can be cancelled, though its queue takes it no more", async () => {
    const { broker, ran, namespace } = await startLimited(server);
    const nc = await connect({ servers: server.url });
    cleanUpLater(() => nc.close());
    await nc.request(...blockedAs(namespace, "never", MOST + 10));
    const client = await connectClient({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    const cancelled = await client.cancel("never", { reason: "no use", wait: "30s" });
    expect(cancelled).toMatchObject({ state: "cancelled" });
    expect(await broker.blocked.count()).toBe(0);
    expect((await broker.history.read({ id: "never" })).at(-1)).toMatchObject({
      ...{ state: "cancelled", reason: "no use", queue: QUEUE },
    });
    expect(ran).toEqual([]);
  });

  it("is cancelled by a purge, which ends", async () => {
    const { broker, namespace } = await startLimited(server);
    const nc = await connect({ servers: server.url });
    cleanUpLater(() => nc.close());
    await nc.request(...blockedAs(namespace, "never", MOST + 10));
    const signal = AbortSignal.timeout(WITHIN_MS);
    const purged = await purgeQueue({ broker, clock: systemClock, queue: QUEUE, signal });
    expect(signal.aborted).toBe(false);
    expect(purged).toMatchObject({ cancelled: 1, queued: 0, blocked: 0 });
    const last = async () => (await broker.history.read({ id: "never" })).at(-1);
    // The node may not have heard of the pause yet, and be who settles it.
    await eventually(async () => (await last()) !== undefined, {
      withinMs: WITHIN_MS,
      describe: "its end is on record",
    });
    expect(await last()).toMatchObject({ state: "cancelled", reason: "purged" });
  });
});

async function startLimited(server: TestServer): Promise<Started> {
  const ran: string[] = [];
  const held = Promise.withResolvers<void>();
  cleanUpLater(held.resolve);
  const job = defineJob<{ readonly holds?: boolean }>({
    name: "t",
    queue: QUEUE,
    concurrency: { key: () => LONG_KEY, limit: 1 },
  }).handler(async ({ job: { id }, input }) => {
    ran.push(id);
    if (input.holds === true) await held.promise;
  });
  const started = await startNodeOnServer(server, { jobs: [job], slots: 8 });
  return { ...started, ran, letGo: held.resolve };
}

async function haveRun(ran: readonly string[], ids: readonly string[]): Promise<void> {
  await eventually(() => ids.every((id) => ran.includes(id)), {
    withinMs: WITHIN_MS,
    describe: `${ids.join(" and ")} have run`,
  });
}

function blockedAs(
  namespace: string,
  id: string,
  bytes: number,
): Parameters<Awaited<ReturnType<typeof connect>>["request"]> {
  const headers = natsHeaders();
  headers.set("Nats-Msg-Id", `${QUEUE}/millrace/${id}/1`);
  headers.set("Millrace-Gate", encodeGate(GATE));
  const bodyOf = (x: string): Uint8Array =>
    encodeMsgpack({ v: 1, id, name: "t", payload: { x }, createdAt: Date.now(), generation: 1 });
  // A requeued message has these headers alone.
  const own = bodyOf("").length + `NATS/1.0\r\nNats-Msg-Id: millrace/${id}/1\r\n\r\n`.length;
  const body = bodyOf("a".repeat(bytes - own));
  return [`${namespace}.blocked.${QUEUE}.${gateToken(GATE)}`, body, { headers, timeout: 10_000 }];
}

function jobOf(id: string, payload: unknown): Envelope {
  return {
    ...UNSETTLED,
    ...{ id, name: "t", queue: QUEUE, payload, createdAt: Date.now(), headers: {} },
  };
}
