import { describe, expect, test, vi } from "vitest";
import { nameOf, serversUnderTest } from "../../harness/servers.ts";
import { FLAVOURS } from "../jetstream/flavour.ts";
import { KILLED_AT_REST, KILLED_AT_WORK } from "./kill-scripts.ts";
import { heardFromModel, heardFromReal, MOST_FORGOTTEN_MS } from "./peers.ts";
import { SCRIPTS } from "./scripts.ts";

vi.setConfig({ testTimeout: 60_000 });

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`the model answers as ${nameOf(target)}`, () => {
    test.each([...SCRIPTS, ...KILLED_AT_REST])("$name", async (script) => {
      if (target.state === "missing") throw new Error(target.reason);
      const flavour = FLAVOURS[target.generation === "2.10" ? "2.10" : "2.15"];
      const [real, model] = await Promise.all([
        heardFromReal(target.path, script),
        heardFromModel(flavour, script),
      ]);
      expect(model).toEqual(real);
    });

    test.each(KILLED_AT_WORK)("$name", async (script) => {
      if (target.state === "missing") throw new Error(target.reason);
      const flavour = FLAVOURS[target.generation === "2.10" ? "2.10" : "2.15"];
      const [real, ...models] = await Promise.all([
        heardFromReal(target.path, script),
        heardFromModel(flavour, script, 0),
        heardFromModel(flavour, script, MOST_FORGOTTEN_MS),
      ]);
      expect(models).toContainEqual(real);
    });
  });
}
