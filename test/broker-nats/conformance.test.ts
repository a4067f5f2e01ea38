import { brokerConformance } from "@millrace/core/testing";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { CAPABILITIES, CASE_MS, conformanceHarness, withShortLease } from "./conforming.ts";

vi.setConfig({ testTimeout: CASE_MS });

describeEachServer("the NATS broker", (server) => {
  let harness: Awaited<ReturnType<typeof conformanceHarness>>;

  beforeAll(async () => {
    const namespace = server.namespace();
    harness = await conformanceHarness({ servers: server.url, namespace }, 10_000);
  });
  afterAll(() => harness.broker.close());

  // One after the other: all movers of a namespace share the delayed jobs, and a case that waits to see a job delayed must be the only one that moves.
  describe("conforms", () => {
    for (const { name, run, skip } of brokerConformance) {
      const reason = skip?.(CAPABILITIES);
      test(
        reason === undefined ? name : `${name} (skipped: ${reason})`,
        { skip: reason !== undefined },
        async () => {
          // Lanes are weighed and timed. An extension that its leader confirmed alone dies with it, as does an ack, and the job comes again.
          // A lock is asked for once here; those that ask again where no answer comes are tested in test/locks.
          if (/^(?:lanes:|locks:|work: a held job|looking: a job that runs)/.test(name))
            await server.calm();
          await run(name.startsWith("locks:") ? withShortLease(harness) : harness);
        },
      );
    }
  });
});
