import { connectBroker, type NatsBroker, type NatsBrokerOptions } from "@millrace/broker-nats";
import { cleanUpLater } from "../harness/cleanup.ts";

/** A broker that is closed when the test that asked for it has finished. */
export async function connected(options: NatsBrokerOptions): Promise<NatsBroker> {
  const broker = await connectBroker(options);
  cleanUpLater(() => broker.close());
  return broker;
}
