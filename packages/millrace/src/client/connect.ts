import { connectBroker } from "@millrace/broker-nats";
import {
  type Broker,
  type Clock,
  type Instrumentation,
  instrumentedBroker,
  systemClock,
} from "@millrace/core";
import { codeConfig } from "../config/code-config.ts";
import { connectionOptions } from "../config/connection.ts";
import type { ConfigInput, FieldKey } from "../config/fields.ts";
import { createClient, type Millrace } from "./client.ts";

type ConnectionKey = Extract<
  FieldKey,
  | "servers"
  | "namespace"
  | "credsFile"
  | "nkeyFile"
  | "token"
  | "user"
  | "password"
  | "tlsCaFile"
  | "tlsCertFile"
  | "tlsKeyFile"
  | "tlsHandshakeFirst"
  | "connectTimeoutMs"
>;

/**
 * How to reach the server. What is left out comes from the environment (`MILLRACE_…`), then from `configFile`, then from
 * the defaults. See `docs/configuration.md`.
 */
export interface ConnectOptions extends Pick<ConfigInput, ConnectionKey> {
  /** Shown in the server's list of connections. Default: `millrace-client`. */
  readonly name?: string;
  /** A configuration file to read. Default: none. */
  readonly configFile?: string;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A broker of your own instead of a connection. `close()` closes it. */
  readonly broker?: Broker;
  readonly clock?: Clock;
  /** Follows every publish: `telemetry()` of `millrace/telemetry`. Default: none, which costs nothing. */
  readonly instrumentation?: Instrumentation;
}

/**
 * Connects a producer. The connection reconnects for ever by itself.
 *
 * @throws MillraceError `invalid-option`, `server-unreachable`, `auth-failed`, `server-too-old`, `jetstream-disabled` …
 * @example
 * await using millrace = await connect({ servers: "nats://localhost:4222" });
 * await millrace.enqueue(welcome, { to: "ada@example.com" });
 */
export async function connect(options: ConnectOptions = {}): Promise<Millrace> {
  const {
    name = "millrace-client",
    configFile,
    env,
    broker: own,
    clock = systemClock,
    instrumentation,
    ...fields
  } = options;
  const traced = (broker: Broker): Broker =>
    instrumentation === undefined ? broker : instrumentedBroker(broker, instrumentation);
  if (own !== undefined) return createClient(traced(own), clock);
  const config = await codeConfig({
    fields: { ...fields },
    ...(configFile === undefined ? {} : { configFile }),
    ...(env === undefined ? {} : { env }),
  });
  return createClient(traced(await connectBroker(connectionOptions(config, name))), clock);
}
