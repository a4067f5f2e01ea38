import { brokerOn } from "./broker-on.ts";
import { brokerConfig, type NatsBrokerOptions } from "./broker-options.ts";
import { connectNats } from "./connection/connect-nats.ts";
import { serverAddresses } from "./connection/connection-options.ts";
import { WaitingLog } from "./connection/waiting-log.ts";
import { LeaseKeeper } from "./lease/lease-keeper.ts";
import type { NatsBroker } from "./nats-broker.ts";

/**
 * Connects to a NATS server with JetStream, 2.10 or newer. Creates nothing: streams are made by
 * those who need them (a queue by `queues.ensure`, the others by the first worker), so a producer
 * needs no more than the permission to publish.
 *
 * @throws MillraceError `server-unreachable`, `auth-failed`, `credentials-unreadable`,
 *   `tls-failed`, `server-too-old`, `jetstream-disabled`, `invalid-option`, `invalid-name`; the
 *   reason of the signal that ended the waiting
 * @example
 * const broker = await connectBroker({ servers: "nats://localhost:4222" });
 * await broker.queues.ensure("mail");
 */
export async function connectBroker(options: NatsBrokerOptions): Promise<NatsBroker> {
  const config = brokerConfig(options);
  const { connection, logger, signal } = config;
  const { urls } = serverAddresses(connection);
  const waiting = new WaitingLog(logger, urls, "server");
  const connected = await connectNats(connection, signal, (error) => waiting.refused(error));
  waiting.connected();
  return brokerOn(connected, config, (owner, opening) =>
    LeaseKeeper.open({
      ...{ ...owner, connection, signal: opening },
      waiting: new WaitingLog(logger, urls, "leases"),
    }),
  );
}
