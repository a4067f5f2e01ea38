import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import { ledgerNowMs } from "./oracle/ledger-entry.ts";
import { deliveryOf } from "./programs/work.ts";

describeEachServer("4: a node frozen for two leases", (server) => {
  it("finds its signal aborted when it wakes; its effect is refused and its ack changes nothing", async () => {
    const trial = await Trial.start(server);
    const a = await trial.node("a");
    // Deliveries are counted here, of a lease that is shorter than an election.
    await server.calm();
    await trial.publish({
      job: { do: "hold", deliveries: 2 },
      // Ends by its own timer in the first moment after the thaw, before anybody has told it
      // anything.
      sleeper: { do: "work", ms: 1.5 * trial.leaseMs },
    });
    for (const id of ["job", "sleeper"]) await a.heard("started", id);

    const thawed = trial.fault("node a is frozen", "repeated-attempt", "stale-effect");
    const frozenAtMs = ledgerNowMs();
    a.signal("SIGSTOP");
    const b = await trial.node("b");
    const second = await b.heard("started", "job");
    await b.heard("started", "sleeper");
    await eventually(() => ledgerNowMs() >= frozenAtMs + 2 * trial.leaseMs, {
      withinMs: 20_000 + 3 * trial.leaseMs,
      describe: "two leases have passed",
    });
    a.signal("SIGCONT");
    const thawedAtMs = ledgerNowMs();
    const { cause, token } = await a.heard("aborted", "job");
    console.log(`aborted ${Math.round(ledgerNowMs() - thawedAtMs)} ms after the thaw`);
    expect(cause).toBe("lease-lost");
    expect(token).toBeLessThan(second.token);
    // No delivery was wasted on the frozen node, whose pull was still at the server when it froze.
    expect(deliveryOf(second.token)).toBe(2);

    expect((await a.heard("settled", "sleeper")).state).toBe("abandoned");
    // The handler of `a` ignores its signal, makes its effect and returns.
    a.release("job");
    const { state } = await a.heard("settled", "job");
    expect(state).toBe("abandoned");
    thawed();

    // With two left behind by the dead node, both are suspects, and the one whose turn it is not is
    // sent away: it comes as a new message, whose deliveries are counted anew.
    expect((await b.heard("settled", "sleeper")).state).toBe("succeeded");

    // Had the ack of `a` counted, the message would be gone now, and nobody would run the job after
    // `b`.
    const death = trial.death(b);
    b.signal("SIGKILL");
    await death;
    const third = await a.heard("started", "job");
    expect(third.token).toBeGreaterThan(second.token);
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({
      refusedEffects: 2,
      succeeded: 2,
    });
  });
});
