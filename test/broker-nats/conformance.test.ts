import { connectBroker, type NatsBroker } from "@millrace/broker-nats";
import {
  brokerConformance,
  type ConformanceHarness,
  eventuallyInRealTime,
} from "@millrace/core/testing";
import { afterAll, beforeAll, describe, test } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";

const CAPABILITIES = { severalConnections: true, keepsLocks: true };

describeEachServer("the NATS broker", (server) => {
  let broker: NatsBroker;
  let harness: ConformanceHarness;

  beforeAll(async () => {
    const namespace = server.namespace();
    const connect = (): Promise<NatsBroker> => connectBroker({ servers: server.url, namespace });
    broker = await connect();
    let queues = 0;
    harness = {
      broker,
      capabilities: CAPABILITIES,
      connect,
      leaseMs: 1_000,
      now: () => Date.now(),
      queueName: () => `q${(queues += 1)}`,
      eventually: eventuallyInRealTime(patient(10_000)),
    };
  });
  afterAll(() => broker.close());

  // One after the other: all movers of a namespace share the delayed jobs, and a case that waits to see a job delayed must be the only one that moves.
  describe("conforms", () => {
    for (const { name, run, skip } of brokerConformance) {
      const reason = skip?.(CAPABILITIES);
      test(
        reason === undefined ? name : `${name} (skipped: ${reason})`,
        { skip: reason !== undefined },
        () => run(harness),
      );
    }
  });
});
