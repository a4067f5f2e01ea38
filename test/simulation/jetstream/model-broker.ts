import type { NatsBroker, NatsBrokerOptions } from "@millrace/broker-nats";
import { brokerConfig } from "../../../packages/broker-nats/src/broker-options.ts";
import { brokerOn } from "../../../packages/broker-nats/src/broker-on.ts";
import { serverFeatures } from "../../../packages/broker-nats/src/connection/server-features.ts";
import { LocalLeaseKeeper } from "../../../packages/broker-nats/src/lease/local-lease-keeper.ts";
import { type Machine, setMachine } from "../../../packages/broker-nats/src/machine/machine.ts";
import { ModelConnection } from "./connection.ts";
import type { Link } from "./link.ts";
import type { ModelServer } from "./server.ts";

export interface ModelBrokerOptions {
  readonly server: ModelServer;
  readonly machine: Machine;
  /** Called for each connection: the broker's own, and that of whoever keeps its leases. */
  readonly newLink: () => Link;
  readonly broker?: Pick<NatsBrokerOptions, "namespace" | "replicas" | "history" | "logger">;
  /** Told of each connection, so that the world can end it. */
  readonly onConnection?: (nc: ModelConnection) => void;
}

/** The real broker over a model server. */
export async function modelBroker(options: ModelBrokerOptions): Promise<NatsBroker> {
  const { server, machine, newLink, broker = {}, onConnection } = options;
  const dial = async (): Promise<ModelConnection> => {
    const nc = new ModelConnection(server, newLink(), machine);
    setMachine(nc, machine);
    onConnection?.(nc);
    return nc.open();
  };
  const nc = await dial();
  return brokerOn(
    { nc, features: serverFeatures(server.flavour.version) },
    brokerConfig({ servers: "model", ...broker }),
    async (owner) => new LocalLeaseKeeper(await dial(), owner),
  );
}
