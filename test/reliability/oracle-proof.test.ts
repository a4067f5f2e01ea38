import { expect, it } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";

describeServer("the oracle, on a settlement that acks before it publishes", "newest", (server) => {
  it("finds the job that was lost when its node was killed in between", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { sabotage: "ack-before-publish", slots: 1 });
    // With its ack lost in an election the job would not be.
    await server.calm();
    await trial.publish({ good: { do: "work" }, lost: { do: "fail", times: 1 } });
    expect((await trial.death(a)).exit.signal).toBe("SIGKILL");
    await trial.node("b");
    await trial.drained();
    const { violations } = await trial.verdict();
    expect(violations).toEqual([
      {
        kind: "lost",
        id: "lost",
        detail: "it was confirmed; 1 runs, none of which succeeded",
      },
    ]);
  });

  it("finds nothing when the same node, killed at the same job, settles in the right order", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a", { dieAt: "after-requeue", slots: 1 });
    await trial.publish({ good: { do: "work" }, kept: { do: "fail", times: 1 } });
    await trial.death(a);
    await trial.node("b");
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({ succeeded: 2 });
  });
});
