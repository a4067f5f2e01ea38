import { expect, it } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";

const GOOD = 1_000;

describeServer(
  "6: a job that takes its process down, among 1,000 good ones",
  "newest",
  (server) => {
    it("is a dead letter after three crashes; the others finish", async () => {
      const trial = await Trial.start(server);
      const producer = trial.producer("p", { jobs: GOOD, batch: 100, workMs: 40 });
      await producer.exit(15_000);
      await trial.publish({ poison: { do: "exit", deliveries: 99 } });

      let deaths = 0;
      for (let drained = false; !drained;) {
        const node = await trial.node(`n${deaths}`, { slots: 8 });
        const empty = trial.drained(60_000).then(() => true);
        const death = trial.death(node, 60_000).then(() => false);
        drained = await Promise.race([empty, death]);
        if (!drained) deaths += 1;
        empty.catch(() => {});
        death.catch(() => {});
      }
      const counts = await trial.expectClean();
      expect(counts).toMatchObject({ confirmed: GOOD + 1, succeeded: GOOD, dead: 1 });
      expect(deaths).toBe(3);
      const [letter] = await trial.broker.deadLetters.list();
      expect(letter).toMatchObject({ id: "poison", reason: "crashed", attempts: 0 });
      console.log(`${deaths} processes died; ${counts.repeats} runs were repeated`);
    });
  },
);
