import { connectBroker, type NatsBroker, type NatsBrokerOptions } from "@millrace/broker-nats";
import { type ConformanceHarness, eventuallyInRealTime } from "@millrace/testkit";
import { startProxy } from "../harness/proxy.ts";
import { clusterMode, lasting, patient } from "../harness/cluster/mode.ts";

const SHORT_LEASE_MS = 1_000;
const LEASE_MS = lasting(SHORT_LEASE_MS);
/** A case waits for three leases and a half to pass. */
const LEASES = 4;
/** Of one case. */
export const CASE_MS = patient(60_000 + LEASES * LEASE_MS);

export const CAPABILITIES = { severalConnections: true, keepsLocks: true, goesDeaf: true };

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
    connectDeaf: async () => {
      const proxy = await startProxy(String(options.servers));
      const broker = await connectBroker({ ...options, servers: proxy.url });
      let hear = (): void => {};
      return {
        broker,
        deafen: () => (hear = proxy.dropFromServer(() => true)),
        hear: () => hear(),
      };
    },
    leaseMs: LEASE_MS,
    leadersDie: clusterMode() !== undefined,
    now: () => Date.now(),
    queueName: () => `q${(queues += 1)}`,
    eventually: eventuallyInRealTime(patient(deadlineMs + LEASES * LEASE_MS)),
  };
}

/** The same where no leader dies: with a lease whose end is soon there. */
export function withShortLease(harness: ConformanceHarness): ConformanceHarness {
  return { ...harness, leaseMs: SHORT_LEASE_MS, leadersDie: false };
}
