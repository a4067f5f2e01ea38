import { type Instrumentation, instrumentedBroker, systemClock } from "@millrace/core";
import { connectBroker } from "@millrace/broker-nats";
import { createClient } from "../client/client.ts";
import type { Millrace } from "../client/millrace.ts";
import { connectionOptions } from "../config/connection.ts";
import type { Config } from "../config/fields.ts";
import { maskOf } from "../config/mask-of.ts";

/** What follows the jobs that are published, and who is told of its trouble. */
export interface ClientTracing {
  readonly instrumentation: Instrumentation;
  readonly onTrouble: (error: unknown) => void;
}

/** Connects, acts, and closes whatever happens. */
export async function withClient<Result>(
  config: Config,
  act: (client: Millrace) => Promise<Result>,
  tracing?: ClientTracing,
): Promise<Result> {
  const broker = await connectBroker(connectionOptions(config, "millrace-cli"));
  const traced =
    tracing === undefined
      ? broker
      : instrumentedBroker(broker, tracing.instrumentation, tracing.onTrouble);
  await using client = createClient(traced, systemClock, {
    instrumentation: tracing?.instrumentation,
    mask: maskOf(config),
  });
  return await act(client);
}
