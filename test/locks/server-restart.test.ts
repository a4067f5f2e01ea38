import { type Broker, silentLogger, systemClock } from "@millrace/core";
import { type HeldLease, takeLock } from "@millrace/runtime";
import { expect, test } from "vitest";
import { connected } from "../broker-nats/connected.ts";
import { lasting } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

const LEASE_MS = lasting(9_000);

describeEachServer("a lock whose server is killed and restarted", (server) => {
  test("stays its holder's, is renewed, and goes to the waiter when it is released", async () => {
    const options = { servers: server.url, namespace: server.namespace(), reconnectWaitMs: 50 };
    const [one, two] = await Promise.all([connected(options), connected(options)]);
    const take = ({ locks }: Broker, holder: string): Promise<HeldLease | undefined> =>
      takeLock(
        { locks, clock: systemClock, log: silentLogger, random: Math.random },
        { name: "it", holder, leaseMs: LEASE_MS, waitMs: Number.POSITIVE_INFINITY },
      );
    const lease = await take(one, "a");
    let isWaiting = true;
    const waiting = take(two, "b").finally(() => (isWaiting = false));
    await server.kill();
    await server.restart();
    const renewed = await eventually(
      async () => {
        const seen = await one.locks.look("it");
        return seen !== undefined && seen.token > (lease?.token ?? 0) ? seen : undefined;
      },
      { withinMs: 20_000 + 3 * LEASE_MS, describe: "a renewal after the restart" },
    );
    expect(renewed.holder).toBe("a");
    expect(lease?.isHeld()).toBe(true);
    expect(isWaiting).toBe(true);
    await lease?.release();
    const next = await within(waiting, LEASE_MS / 2, "the waiter, whose subscription is back");
    expect(next?.token).toBeGreaterThan(renewed.token);
    await next?.release();
  });
});
