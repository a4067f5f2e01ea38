import { expect, it, vi } from "vitest";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Holders } from "../locks/holder.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

const LEASE_MS = lasting(5_000);
vi.setConfig({ testTimeout: patient(180_000 + 5 * LEASE_MS) });

describeEachServer("3: a lock's holder that stalls its event loop for three leases", (server) => {
  it("keeps the lock in a node, where a thread extends it; the waiter has it when it is released", async () => {
    const holders = new Holders(server, LEASE_MS);
    const a = await holders.start("a", { isNode: true });
    const first = await a.heard("held");
    const b = await holders.start("b");
    a.stall(3 * LEASE_MS);
    expect(await a.heard("wrote")).toMatchObject({ held: true, aborted: false, accepted: true });
    // And once more: what the thread wrote is what the holder goes on from.
    a.stall(1.5 * LEASE_MS);
    expect(await a.heard("wrote")).toMatchObject({ held: true, aborted: false, accepted: true });
    const releasedAtMs = ledgerNowMs();
    a.release();
    const second = await b.heard("held");
    expect(second.token).toBeGreaterThan(first.token);
    expect(second.atMs).toBeGreaterThan(releasedAtMs);
    expect(second.atMs - releasedAtMs).toBeLessThan(patient(LEASE_MS / 2));
  });

  it("loses the lock elsewhere, knows it at its first look, and is fenced", async () => {
    const holders = new Holders(server, LEASE_MS);
    const a = await holders.start("a");
    const first = await a.heard("held");
    const b = await holders.start("b");
    a.stall(3 * LEASE_MS);
    const second = await b.heard("held");
    expect(second.token).toBeGreaterThan(first.token);
    expect(await a.heard("wrote")).toMatchObject({ held: false, aborted: true, accepted: false });
  });
});
