import { connectBroker, type NatsBroker, type NatsBrokerOptions } from "@millrace/broker-nats";
import { type ConformanceHarness, eventuallyInRealTime } from "@millrace/core/testing";
import { patient } from "../harness/cluster/mode.ts";

export const CAPABILITIES = { severalConnections: true, keepsLocks: true };

/** What the conformance suite needs of a server. The broker is the caller's to close. */
export async function conformanceHarness(
  options: NatsBrokerOptions,
  deadlineMs: number,
): Promise<ConformanceHarness & { readonly broker: NatsBroker }> {
  const connect = (): Promise<NatsBroker> => connectBroker(options);
  let queues = 0;
  return {
    broker: await connect(),
    capabilities: CAPABILITIES,
    connect,
    leaseMs: 1_000,
    now: () => Date.now(),
    queueName: () => `q${(queues += 1)}`,
    eventually: eventuallyInRealTime(patient(deadlineMs)),
  };
}
