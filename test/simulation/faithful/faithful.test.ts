import { describe, expect, test, vi } from "vitest";
import { nameOf, serversUnderTest } from "../../harness/servers.ts";
import { FLAVOURS } from "../jetstream/flavour.ts";
import { BATCH_SCRIPTS } from "./batch-scripts.ts";
import { AT_REST, AT_WORK } from "./failure-scripts.ts";
import { FAST_BATCH_SCRIPTS } from "./fast-batch-scripts.ts";
import { heardFromModel, heardFromReal, killedModel } from "./peers.ts";
import { SCRIPTS } from "./scripts.ts";

vi.setConfig({ testTimeout: 180_000 });

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`the model answers as ${nameOf(target)}`, () => {
    const flavour = FLAVOURS[target.generation === "2.10" ? "2.10" : "2.15"];

    const scripts = [...SCRIPTS, ...BATCH_SCRIPTS, ...AT_REST];
    // An older one answers each message for itself.
    const batches = target.generation === "2.10" ? [] : FAST_BATCH_SCRIPTS;
    test.concurrent.each([...scripts, ...batches])("$name", async (script) => {
      if (target.state === "missing") throw new Error(target.reason);
      const [real, model] = await Promise.all([
        heardFromReal(target.path, script),
        heardFromModel(flavour, script),
      ]);
      expect(model).toEqual(real);
    });

    test.concurrent.each(AT_WORK)("$name", async (script) => {
      if (target.state === "missing") throw new Error(target.reason);
      const [real, knowing, forgetful] = await Promise.all([
        heardFromReal(target.path, script),
        heardFromModel(flavour, script, killedModel(0)),
        heardFromModel(flavour, script),
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
  const killed = lines.indexOf("failed, and back");
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
