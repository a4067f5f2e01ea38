import { expect, it } from "vitest";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Holders } from "../locks/holder.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

/** A sixth of it is between giving up and its end, which a busy machine must not take. */
const LEASE_MS = lasting(6_000);

describeEachServer("8: a lock's holder cut off from the server", (server) => {
  it.each(["cut", "blackhole"] as const)(
    "gives up before its lease ends, and the waiter has the lock after that (%s)",
    async (how) => {
      const holders = new Holders(server, LEASE_MS);
      const proxy = await startProxy(server.url);
      const a = await holders.start("a", { servers: proxy.url });
      const first = await a.heard("held");
      const b = await holders.start("b");
      // Some renewals go through first, and their answers are slow by what the proxy takes.
      await eventually(() => ledgerNowMs() >= first.atMs + 2 * LEASE_MS, {
        withinMs: 20_000 + 3 * LEASE_MS,
        describe: "two leases have passed",
      });
      const cutAtMs = ledgerNowMs();
      proxy[how]();
      const lost = await a.heard("lost");
      expect(lost.atMs - cutAtMs).toBeLessThan(LEASE_MS);
      const second = await b.heard("held");
      console.log(
        `given up ${Math.round(lost.atMs - cutAtMs)} ms after the ${how}, taken ${Math.round(second.atMs - lost.atMs)} ms later`,
      );
      expect(second.atMs).toBeGreaterThan(lost.atMs);
      expect(second.atMs - cutAtMs).toBeLessThan(patient(LEASE_MS + 5_000));
      expect(second.token).toBeGreaterThan(first.token);
      // What was under way in the cut line comes through now, and changes nothing.
      proxy.heal();
      a.write();
      expect(await a.heard("wrote")).toMatchObject({ held: false, aborted: true, accepted: false });
      await eventually(() => ledgerNowMs() >= second.atMs + LEASE_MS, {
        withinMs: 20_000 + 3 * LEASE_MS,
        describe: "a lease of the second holder has passed",
      });
      b.write();
      expect(await b.heard("wrote")).toMatchObject({ held: true, accepted: true });
    },
    patient(180_000 + 5 * LEASE_MS),
  );
});
