import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { nameOf, serversUnderTest } from "../../harness/servers.ts";
import { FLAVOURS } from "../jetstream/flavour.ts";
import { electedModel, ElectingCluster } from "./electing-cluster.ts";
import { AT_REST, AT_WORK } from "./failure-scripts.ts";
import { heardFromModel, MOST_FORGOTTEN_MS } from "./peers.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

for (const target of serversUnderTest()) {
  const title = `the model's leaders step down as those of three servers (${nameOf(target)})`;
  describe.skipIf(target.state === "missing")(title, () => {
    const flavour = FLAVOURS[target.generation === "2.10" ? "2.10" : "2.15"];
    let cluster: ElectingCluster | undefined;

    beforeAll(async () => {
      if (target.state === "missing") throw new Error(target.reason);
      cluster = await ElectingCluster.launch(target.path, AT_REST.length + AT_WORK.length);
    });
    afterAll(() => cluster?.dispose());

    test.concurrent.each(AT_REST)("$name", async (script) => {
      const [real, model] = await Promise.all([
        cluster?.heard(script),
        heardFromModel(flavour, script, electedModel(MOST_FORGOTTEN_MS)),
      ]);
      expect(model).toEqual(real);
    });

    test.concurrent.each(AT_WORK)("$name", async (script) => {
      const [real, knowing, forgetful] = await Promise.all([
        cluster?.heard(script),
        heardFromModel(flavour, script, electedModel(0)),
        heardFromModel(flavour, script, electedModel(MOST_FORGOTTEN_MS)),
      ]);
      expect([knowing, forgetful]).toContainEqual(real);
    });
  });
}
