import { expect, it } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";

describeEachServer("3: a handler that blocks the event loop for three leases", (server) => {
  it("keeps its lease: it runs once, though another node is free", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a");
    await trial.publish({ blocker: { do: "block", ms: 3 * trial.leaseMs, deliveries: 9 } });
    await a.heard("started", "blocker");
    const b = await trial.node("b");
    const { state } = await a.heard("settled", "blocker");
    expect(state).toBe("succeeded");
    await trial.publish({ after: { do: "work" } });
    await Promise.race([a.heard("settled", "after"), b.heard("settled", "after")]);
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({ runs: 2, repeats: 0, succeeded: 2 });
  });
});
