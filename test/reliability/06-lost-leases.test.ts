import { expect, it } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";

/** Of a redelivery, on a machine that is busy. */
const PATIENCE_MS = 60_000;

describeEachServer("6: a job whose holders are frozen one after the other, and live", (server) => {
  it("is buried for nothing, and runs to its end", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a");
    // Leases are lost on purpose here, and counted.
    await server.calm();
    const over = trial.fault("nodes are frozen in turn", "repeated-attempt", "stale-effect");
    await trial.publish({ job: { do: "hold", deliveries: 3, heed: true } });
    await a.heard("started", "job");
    let [frozen, other] = [a, await trial.node("b")];
    // Three leases are lost: as many as bury a job, and nobody has died.
    for (let lost = 1; lost <= 3; lost += 1) {
      frozen.signal("SIGSTOP");
      await other.heard("redelivered", "job", PATIENCE_MS);
      // The last time the other one waits for a word of this one, which had its turn.
      if (lost < 3) await other.heard("started", "job", PATIENCE_MS);
      frozen.signal("SIGCONT");
      await frozen.heard("aborted", "job", PATIENCE_MS);
      [frozen, other] = [other, frozen];
    }
    await trial.drained(PATIENCE_MS);
    over();
    expect(await trial.expectClean()).toMatchObject({ succeeded: 1, dead: 0 });
  });
});
