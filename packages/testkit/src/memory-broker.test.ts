import { describe, test } from "vitest";
import { systemClock } from "@millrace/core";
import { brokerConformance } from "./conformance/broker-conformance.ts";
import {
  type ConformanceHarness,
  eventuallyInRealTime,
  eventuallyOn,
} from "./conformance/harness.ts";
import { deafConnection } from "./conformance/deaf-connection.fixture.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { MemoryServer } from "./memory/memory-server.ts";
import { SimulatedClock } from "./simulated-clock.ts";

/** No lock is kept: nothing but the event loop of this process could do it. */
const CAPABILITIES = { severalConnections: true, goesDeaf: true };
let queues = 0;
const queueName = (): string => `queue-${(queues += 1)}`;

function simulated(): ConformanceHarness {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  return {
    broker: new MemoryBroker({ server }),
    capabilities: CAPABILITIES,
    connect: async () => new MemoryBroker({ server }),
    connectDeaf: async () => deafConnection(new MemoryBroker({ server })),
    leaseMs: 1_000,
    now: () => clock.now(),
    queueName,
    eventually: eventuallyOn(clock, 10_000),
  };
}

function real(): ConformanceHarness {
  const server = new MemoryServer(systemClock);
  return {
    broker: new MemoryBroker({ server }),
    capabilities: CAPABILITIES,
    connect: async () => new MemoryBroker({ server }),
    connectDeaf: async () => deafConnection(new MemoryBroker({ server })),
    // All cases share one event loop, and the machine is shared too: a shorter one is over while
    // others have their turns.
    leaseMs: 3_000,
    now: () => systemClock.now(),
    queueName,
    eventually: eventuallyInRealTime(20_000),
  };
}

describe("MemoryBroker on a simulated clock", () => {
  for (const { name, run, skip } of brokerConformance)
    test(name, { skip: skip?.(CAPABILITIES) !== undefined }, () => run(simulated()));
});

describe.concurrent("MemoryBroker in real time, all cases at once on one server", () => {
  const harness = real();
  for (const { name, run, skip } of brokerConformance)
    test(name, { skip: skip?.(CAPABILITIES) !== undefined }, () => run(harness));
});
