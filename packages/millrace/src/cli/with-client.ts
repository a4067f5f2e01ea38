import { systemClock } from "@millrace/core";
import { connectBroker } from "@millrace/broker-nats";
import { type Millrace, createClient } from "../client/client.ts";
import { connectionOptions } from "../config/connection.ts";
import type { Config } from "../config/fields.ts";

/** Connects, acts, and closes whatever happens. */
export async function withClient<Result>(
  config: Config,
  act: (client: Millrace) => Promise<Result>,
): Promise<Result> {
  await using client = createClient(
    await connectBroker(connectionOptions(config, "millrace-cli")),
    systemClock,
  );
  return await act(client);
}
