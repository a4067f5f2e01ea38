import { expect, it, vi } from "vitest";
import { lasting, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { QUEUE } from "./programs/work.ts";

vi.setConfig({ testTimeout: patient(180_000 + 10 * lasting(1_000)) });

describeEachServer("3: a handler that stalls the event loop for three leases", (server) => {
  it("keeps its lease: it runs once, though another node is free", async () => {
    const trial = await Trial.start(server);
    const leaseMs = lasting(trial.leaseMs);
    const a = await trial.node("a", { leaseMs });
    await trial.publish({ staller: { do: "stall", ms: 3 * leaseMs, deliveries: 9 } });
    await a.heard("started", "staller");
    const b = await trial.node("b", { leaseMs });
    const { state } = await a.heard("settled", "staller", 4 * leaseMs + 30_000);
    expect(state).toBe("succeeded");
    await trial.publish({ after: { do: "work" } });
    await Promise.race([a.heard("settled", "after"), b.heard("settled", "after")]);
    await trial.drained();
    // A repeat is a violation, unless the death of a leader explains it: that may have told nobody
    // what it gave to the first node.
    const { runs, repeats, succeeded } = await trial.expectClean();
    expect({ runs: runs - repeats, succeeded }).toEqual({ runs: 2, succeeded: 2 });
  });

  it("runs nothing of what lay in its socket meanwhile: that is run by whoever is handed it next", async () => {
    // A pull dies with its consumer's leader, and nobody would be there to pull anew.
    await server.calm();
    const trial = await Trial.start(server);
    const leaseMs = lasting(2 * trial.leaseMs);
    const a = await trial.node("a", { leaseMs });
    const staller = { do: "stall", ms: 3 * leaseMs, deliveries: 9, released: true } as const;
    await trial.publish({ staller });
    await a.heard("started", "staller");
    // Its pull is a new one then, and stands for half a lease.
    await trial.publish({ before: { do: "work" } });
    await a.heard("settled", "before");
    a.release("staller");
    await a.heard("stalls", "staller");
    await trial.publish({ caught: { do: "work" } });
    await eventually(async () => (await trial.broker.queues.snapshot(QUEUE)).running === 2, {
      withinMs: leaseMs,
      describe: "the job is handed to the node whose loop is stalled",
    });
    // Whichever gets it next: on a busy machine the new node may only be there when the stall is
    // over.
    await trial.node("b", { leaseMs });
    await trial.drained(4 * leaseMs + 30_000);
    expect(await trial.expectClean()).toMatchObject({ runs: 3, repeats: 0, succeeded: 3 });
  });
});
