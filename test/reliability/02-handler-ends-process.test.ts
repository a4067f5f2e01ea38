import { expect, it } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { Trial } from "./harness/trial.ts";
import type { Work } from "./programs/work.ts";

const SIBLINGS = 5;

describeServer("2: a handler that ends its process", "newest", (server) => {
  it.each<[string, Work, object]>([
    ["process.exit", { do: "exit", deliveries: 1 }, { code: 3, signal: null }],
    ["an exhausted heap", { do: "out-of-memory", deliveries: 1 }, { signal: "SIGABRT" }],
    ["an error nobody catches", { do: "uncaught", deliveries: 1 }, { code: 1, signal: null }],
  ])(
    "%s: nothing is lost, and the jobs beside it finish elsewhere",
    async (_how, culprit, ending) => {
      const trial = await Trial.start(server);
      const a = await trial.node("a", { nodeOptions: ["--max-old-space-size=64"] });
      // What a job does goes by the number of its delivery, of which an election may forget one or
      // waste one.
      await server.calm();
      // They run for longer than the process lives.
      const siblings = Array.from({ length: SIBLINGS }, (_, n) => [`sibling-${n}`, slow]);
      await trial.publish(Object.fromEntries(siblings) as Record<string, Work>);
      for (const [id] of siblings) await a.heard("started", id as string);
      await trial.publish({ culprit });
      const { exit } = await trial.death(a, 25_000);
      expect(exit).toMatchObject(ending);

      const b = await trial.node("b");
      await b.heard("settled", "culprit");
      await trial.drained();
      const counts = await trial.expectClean();
      expect(counts).toMatchObject({ succeeded: SIBLINGS + 1, dead: 0, repeats: SIBLINGS + 1 });
    },
  );
});

/** Holds for ever on its first delivery. */
const slow: Work = { do: "hold", deliveries: 1 };
