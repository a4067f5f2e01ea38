import { expect, it } from "vitest";
import { clusterMode } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";

describeEachServer("4: a node frozen for two leases with a singleton", (server) => {
  it("is overtaken by a holder with a greater token, and what it does when it wakes is refused by its own", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { singleton: true });
    // An election outlasts the leases.
    await server.calm();
    // Long enough to be frozen in. Ends by its own timer in the first moment after the thaw, before
    // anybody has told it anything, and makes its effect.
    const firstMs = (clusterMode() === undefined ? 5 : 15) * trial.leaseMs;
    await trial.publish({ first: { do: "work", ms: firstMs } });
    const frozen = await a.heard("started", "first");
    const startedBeforeMs = ledgerNowMs();
    await trial.publish({ second: { do: "work", ms: 50 }, third: { do: "work", ms: 50 } });
    await eventually(async () => (await trial.broker.blocked.count()) === 2, {
      withinMs: 20_000,
      describe: "the others wait for the first",
    });

    const thawed = trial.fault("node a is frozen", "repeated-attempt", "stale-effect");
    const frozenAtMs = ledgerNowMs();
    a.signal("SIGSTOP");
    const b = await trial.node("b", { singleton: true });
    for (const id of ["second", "third"]) {
      const { token } = await b.heard("started", id);
      expect(token).toBeGreaterThan(frozen.token);
    }
    const thawAtMs = Math.max(frozenAtMs + 2 * trial.leaseMs, startedBeforeMs + firstMs);
    await eventually(() => ledgerNowMs() >= thawAtMs, {
      withinMs: 20_000 + 3 * trial.leaseMs + firstMs,
      describe: "two leases have passed, and the first job's time",
    });
    a.signal("SIGCONT");
    expect((await a.heard("settled", "first")).state).toBe("abandoned");
    await b.heard("ended", "first");
    thawed();
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({ succeeded: 3 });

    // One fence for all jobs of the singleton: what it protects sees one order of tokens, and one
    // effect that came too late.
    let largest = -1;
    const refused: string[] = [];
    for (const entry of trial.ledger) {
      if (entry.event !== "started" && entry.event !== "effect") continue;
      if (entry.event === "effect" && entry.token < largest)
        refused.push(`${entry.process} ${entry.id}`);
      // Nobody is given a token that is not greater than all before it.
      if (entry.event === "started") expect(entry.token).toBeGreaterThan(largest);
      largest = Math.max(largest, entry.token);
    }
    expect(refused).toEqual(["a first"]);
  });
});
