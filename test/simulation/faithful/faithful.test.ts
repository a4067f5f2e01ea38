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
      const [real, knowing, forgetful] = await Promise.all([
        heardFromReal(target.path, script),
        heardFromModel(flavour, script, 0),
        heardFromModel(flavour, script, MOST_FORGOTTEN_MS),
      ]);
      expect([knowing, forgetful, countedAnew(knowing)]).toContainEqual(real);
    });
  });
}

/**
 * The same from a server that has lost a consumer's file and has its stream's: 2.10 was seen to be
 * killed so. Its consumer counts its deliveries from 1 again, and what was acked stays away.
 */
function countedAnew(lines: readonly string[]): readonly string[] {
  const killed = lines.indexOf("killed, and back");
  let count = 0;
  return lines.map((line, index) =>
    index < killed
      ? line
      : line.replace(
          /( ack Q\.W\.\d+\.\d+\.)\d+$/,
          (_all, place: string) => `${place}${(count += 1)}`,
        ),
  );
}
