import { brokerConformance } from "@millrace/testkit";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { CAPABILITIES, CASE_MS, conformanceHarness, withShortLease } from "./conforming.ts";

vi.setConfig({ testTimeout: CASE_MS });

/**
 * Cases that count, order or time what an election rightly changes, and do not say so by
 * themselves.
 */
const CALM: readonly RegExp[] = [
  // Weighed and timed. A lock is asked for once here; those that ask again where no answer comes
  // are tested in test/locks.
  /^(?:lanes|locks):/,
  // An extension that its leader confirmed alone dies with it, as does an ack: the job comes again,
  // or takes a place in the count.
  /^(?:work: (?:a job in hand|what is held of a queue)|looking: a job that runs|queues: a snapshot counts)/,
  // What was done and whose answer died with its leader is told as done before.
  /^(?:blocked: (?!jobs leave)|dead letters: exactly|looking: a queue whose one job)/,
  // What passes a member that dies is heard by nobody, or again; followers catch up after an outage
  // with what was before them.
  /^(?:looking: what all nodes run|documents: what another connection puts)/,
  /^(?:history: a (?:watch|follower)|progress: a follower)/,
  // Times shorter than an election.
  /^(?:delayed: a job that is moved to a time|history: its tail)/,
  // The connection itself, which is away for a moment when its member dies.
  /^connection: (?:says|close)/,
];

describeEachServer("the NATS broker", (server) => {
  let harness: Awaited<ReturnType<typeof conformanceHarness>>;

  beforeAll(async () => {
    const namespace = server.namespace();
    harness = await conformanceHarness({ servers: server.url, namespace }, 10_000);
  });
  afterAll(() => harness.broker.close());

  // One after the other: all movers of a namespace share the delayed jobs, and a case that waits to
  // see a job delayed must be the only one that moves.
  describe("conforms", () => {
    for (const { name, run, skip } of brokerConformance) {
      const reason = skip?.(CAPABILITIES);
      test(
        reason === undefined ? name : `${name} (skipped: ${reason})`,
        { skip: reason !== undefined },
        async () => {
          if (CALM.some((calm) => calm.test(name))) await server.calm();
          await run(name.startsWith("locks:") ? withShortLease(harness) : harness);
        },
      );
    }
  });
});
