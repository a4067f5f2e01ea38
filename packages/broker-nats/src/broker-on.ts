import { DisciplinedClock } from "@millrace/core";
import { jetstreamManager } from "@nats-io/jetstream";
import type { BrokerConfig } from "./broker-options.ts";
import { closeForGood } from "./connection/close-for-good.ts";
import type { ConnectedNats } from "./connection/connect-nats.ts";
import { retryingRequests } from "./connection/retrying-requests.ts";
import { machineOf, setMachine } from "./machine/machine.ts";
import { NatsBroker } from "./nats-broker.ts";
import { sizeLimits } from "./topology/size-limits.ts";
import { Names } from "./topology/subjects.ts";
import type { OpenLeases } from "./work/lease-registry.ts";

/**
 * A broker on a connection that is there; closes it in the end, and where this fails.
 * `connectBroker` is for everybody else.
 */
export async function brokerOn(
  { nc, features }: ConnectedNats,
  config: BrokerConfig,
  openLeases: OpenLeases,
): Promise<NatsBroker> {
  try {
    // Start times that a node stamped by the server's clock are compared with the time here.
    const clock = new DisciplinedClock(machineOf(nc).clock);
    setMachine(nc, { ...machineOf(nc), clock });
    const limits = sizeLimits(nc.info?.max_payload ?? 0);
    const retrying = retryingRequests(nc);
    const jsm = await jetstreamManager(retrying, { checkAPI: false });
    const server = {
      nc,
      retrying,
      jsm,
      names: new Names(config.namespace),
      maxValues: config.maxValues,
    };
    return new NatsBroker({ server, features, limits, config, clock, openLeases });
  } catch (error) {
    await closeForGood(nc);
    throw error;
  }
}
