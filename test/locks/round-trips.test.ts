import { connect, headers } from "@nats-io/transport-node";
import { beforeEach, expect, test } from "vitest";
import type { LockStore } from "@millrace/core";
import { patientManager } from "../harness/administrator.ts";
import { connected } from "../broker-nats/connected.ts";
import { eventually } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";

const CLAIM = { holder: "a", leaseMs: 10_000 };

describeEachServer("what a lock costs", (server) => {
  let namespace: string;
  let locks: LockStore;
  /** Subjects of what was sent to the server, in order. */
  let sent: string[];
  beforeEach(async () => {
    // What a dying leader is asked is asked again.
    await server.calm();
    namespace = server.namespace();
    const proxy = await startProxy(server.url);
    ({ locks } = await connected({ servers: proxy.url, namespace }));
    // What the first lock of a connection has to ask for.
    const first = await locks.acquire("first", CLAIM);
    if (first !== undefined) await locks.release(first);
    // Its answer says that all that went before was sent.
    await locks.look("it");
    sent = [];
    proxy.dropToServer(({ subject }) => {
      sent.push(subject);
      return false;
    });
  });

  test("one request to take it when it is free, also after others had it, and one to free it", async () => {
    for (let round = 0; round < 3; round += 1) {
      const lock = await locks.acquire("it", CLAIM);
      expect(lock).toBeDefined();
      if (lock !== undefined) expect(await locks.release(lock)).toBe(true);
    }
    await eventually(() => sent.length === 9, {
      withinMs: 20_000,
      describe: () => `three requests a round, of which one tells the waiters: ${sent.join(", ")}`,
    });
    expect(sent.slice(6)).toEqual([
      `$KV.${namespace}-locks.it`,
      `$JS.API.STREAM.PURGE.KV_${namespace}-locks`,
      `${namespace}.ctl.lock-released.it`,
    ]);
  });

  test("a free lock leaves nothing on the server", async () => {
    for (const name of ["a", "b", "c"]) {
      const lock = await locks.acquire(name, CLAIM);
      if (lock !== undefined) await locks.release(await locks.renew(lock, CLAIM));
    }
    await using nc = await connect({ servers: server.url });
    const { config, state } = await (
      await patientManager(nc)
    ).streams.info(`KV_${namespace}-locks`);
    expect(state.messages).toBe(0);
    expect(state.last_seq - config.first_seq + 1).toBe(7);
  });

  test("a lock that was deleted by other means is free", async () => {
    const lock = await locks.acquire("it", CLAIM);
    await using nc = await connect({ servers: server.url });
    // As `nats kv del` does.
    const marker = headers();
    marker.set("KV-Operation", "DEL");
    await nc.request(`$KV.${namespace}-locks.it`, "", { headers: marker, timeout: 5_000 });
    expect(await locks.look("it")).toBeUndefined();
    expect(await locks.list()).toEqual([]);
    const next = await locks.acquire("it", { holder: "b", leaseMs: 10_000 });
    expect(next?.token).toBeGreaterThan(lock?.token ?? Number.POSITIVE_INFINITY);
  });

  test("something that is no lock is shown, and keeps nobody waiting for ever", async () => {
    await using nc = await connect({ servers: server.url });
    const { seq: revision } = (await nc.request(`$KV.${namespace}-locks.it`, "not a lock")).json<{
      seq: number;
    }>();
    const [shown] = await locks.list();
    expect(shown).toMatchObject({ name: "it", holder: "unknown", token: revision });
    expect(shown?.leftMs).toBeLessThanOrEqual(86_400_000);
    expect(await locks.acquire("it", CLAIM)).toBeUndefined();
    expect(await locks.release({ name: "it", token: revision })).toBe(true);
  });
});
