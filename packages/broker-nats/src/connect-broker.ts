import { jetstreamManager } from "@nats-io/jetstream";
import { brokerConfig, type NatsBrokerOptions } from "./broker-options.ts";
import { connectNats } from "./connection/connect-nats.ts";
import { patientConnection } from "./connection/patient-connection.ts";
import { NatsBroker } from "./nats-broker.ts";
import { sizeLimits } from "./topology/size-limits.ts";
import { Names } from "./topology/subjects.ts";

/**
 * Connects to a NATS server with JetStream, 2.10 or newer. Creates nothing: streams are made by those who need them (a queue by
 * `queues.ensure`, the others by the first worker), so a producer needs no more than the permission to publish.
 *
 * @throws MillraceError `server-unreachable`, `auth-failed`, `credentials-unreadable`, `tls-failed`, `server-too-old`,
 *   `jetstream-disabled`, `invalid-option`, `invalid-name`
 * @example
 * const broker = await connectBroker({ servers: "nats://localhost:4222" });
 * await broker.queues.ensure("mail");
 */
export async function connectBroker(options: NatsBrokerOptions): Promise<NatsBroker> {
  const config = brokerConfig(options);
  const { nc, features } = await connectNats(config.connection);
  try {
    const limits = sizeLimits(nc.info?.max_payload ?? 0);
    const patient = patientConnection(nc);
    const jsm = await jetstreamManager(patient, { checkAPI: false });
    return new NatsBroker({
      server: { nc, patient, jsm, names: new Names(config.namespace) },
      features,
      limits,
      config,
    });
  } catch (error) {
    await nc.close();
    throw error;
  }
}
