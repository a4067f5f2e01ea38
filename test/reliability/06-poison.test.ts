import { expect, it } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";

const GOOD = 1_000;
/**
 * Whether the last holder is dead is known by its heartbeats, 35 s after the last of them and a
 * lease more.
 */
const BURIED_MS = 90_000;

describeServer("6: a poison job among 1,000 good ones", "newest", (server) => {
  it("is dead after three crashes; those that were in the process each time finish", async () => {
    const trial = await Trial.start(server);
    for (const half of ["before", "after"]) {
      // Long enough that every slot is taken when the process goes down, by the same jobs each time
      // they come back.
      await trial.producer(half, { jobs: GOOD / 2, batch: 250, workMs: 20 }).exit(90_000);
      if (half === "before") await trial.publish({ poison: { do: "exit", deliveries: 99 } });
    }
    // Crashes are counted by deliveries, which an election forgets or wastes.
    await server.calm();
    let deaths = 0;
    for (let drained = false; !drained;) {
      const node = await trial.node(`n${deaths}`, { slots: 8, mayDieAtOnce: true });
      const empty = trial.drained(BURIED_MS).then(() => true);
      const death = trial.death(node, BURIED_MS).then(() => false);
      drained = await Promise.race([empty, death]);
      if (!drained) deaths += 1;
      for (const late of [empty, death]) late.catch(() => {});
    }
    const counts = await trial.expectClean();
    const [letter] = await trial.broker.deadLetters.list();
    console.log(`${deaths} processes died; ${counts.repeats} runs were repeated`);
    expect(counts).toMatchObject({ confirmed: GOOD + 1, succeeded: GOOD, dead: 1 });
    expect(letter).toMatchObject({ id: "poison", reason: "crashed", attempts: 0 });
    expect(deaths).toBe(3);
  }, 240_000);
});
