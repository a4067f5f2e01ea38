import { expect, it, vi } from "vitest";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Holders } from "../locks/holder.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

const LEASE_MS = lasting(4_000);
vi.setConfig({ testTimeout: patient(180_000 + 2 * LEASE_MS) });

describeEachServer("1: a lock's holder killed", (server) => {
  it("leaves the lock to a waiter when its lease is over, with a greater token", async () => {
    const holders = new Holders(server, LEASE_MS);
    const a = await holders.start("a");
    const first = await a.heard("held");
    const b = await holders.start("b");
    // It has been renewed by now: the lease that is left is not the first one.
    await eventually(() => ledgerNowMs() >= first.atMs + LEASE_MS, {
      withinMs: 20_000 + 3 * LEASE_MS,
      describe: "a lease has passed",
    });
    const killedAtMs = ledgerNowMs();
    await a.child.kill();
    const second = await b.heard("held");
    console.log(
      `the waiter had the lock ${Math.round(second.atMs - killedAtMs)} ms after the kill`,
    );
    expect(second.atMs - killedAtMs).toBeLessThan(patient(LEASE_MS + 5_000));
    expect(second.token).toBeGreaterThan(first.token);
  });

  it("leaves it at once where it was released before", async () => {
    const holders = new Holders(server, 60_000);
    const a = await holders.start("a");
    await a.heard("held");
    const b = await holders.start("b");
    const releasedAtMs = ledgerNowMs();
    a.release();
    const { atMs } = await b.heard("held");
    expect(atMs - releasedAtMs).toBeLessThan(patient(10_000));
  });
});
