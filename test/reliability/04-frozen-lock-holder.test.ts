import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Holders } from "../locks/holder.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

const LEASE_MS = 4_000;

describeEachServer(
  "4: a lock's holder frozen for two leases",
  (server) => {
    it("knows when it wakes that it lost the lock, and what it writes all the same is refused by its token", async () => {
      const holders = new Holders(server, LEASE_MS);
      const a = await holders.start("a");
      const first = await a.heard("held");
      a.write();
      expect(await a.heard("wrote")).toMatchObject({ held: true, aborted: false, accepted: true });

      await a.child.freeze();
      const frozenAtMs = ledgerNowMs();
      const b = await holders.start("b");
      const second = await b.heard("held");
      expect(second.token).toBeGreaterThan(first.token);
      await eventually(() => ledgerNowMs() >= frozenAtMs + 2 * LEASE_MS, {
        withinMs: 20_000 + 3 * LEASE_MS,
        describe: "two leases have passed",
      });
      // Lies there when it wakes: it may be what the process does first.
      a.write();
      a.child.signal("SIGCONT");
      const late = await a.heard("wrote");
      expect(late).toMatchObject({ held: false, aborted: true, accepted: false });
      await a.heard("lost");

      // The zombie harmed nobody: the other still holds the lock, over more than a lease of its
      // own.
      await eventually(() => ledgerNowMs() >= second.atMs + 2 * LEASE_MS, {
        withinMs: 20_000 + 3 * LEASE_MS,
        describe: "two leases of the second holder have passed",
      });
      b.write();
      expect(await b.heard("wrote")).toMatchObject({ held: true, aborted: false, accepted: true });
      expect(holders.register.writes()).toEqual([
        { writer: "a", token: first.token, believed: true, accepted: true },
        { writer: "a", token: first.token, believed: true, accepted: true },
        { writer: "b", token: second.token, believed: true, accepted: true },
        { writer: "a", token: first.token, believed: false, accepted: false },
        { writer: "b", token: second.token, believed: true, accepted: true },
      ]);
    }, 180_000);
  },
  {
    singleServer:
      "leases shorter than an election are lost in it; test/locks/cluster.test.ts has longer ones",
  },
);
