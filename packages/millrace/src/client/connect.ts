import { connectBroker } from "@millrace/broker-nats";
import {
  type Broker,
  type Clock,
  countingBroker,
  type MetricsCollector,
  namespacedMetrics,
  noMetrics,
  type Instrumentation,
  instrumentedBroker,
  optionNames,
  recordError,
  refuseUnknown,
  requireParts,
  requireText,
  systemClock,
} from "@millrace/core";
import type { OutboxAdapter } from "@millrace/outbox";
import { codeConfig } from "../config/code-config.ts";
import { connectionOptions } from "../config/connection.ts";
import { type ConfigInput, FIELD_KEYS, type FieldKey } from "../config/fields.ts";
import { maskOf } from "../config/mask-of.ts";
import { requireNode } from "../require-node.ts";
import { createClient } from "./client.ts";
import type { Millrace } from "./millrace.ts";
import { type MillraceWithOutbox, requireAdapter, withOutbox } from "./with-outbox.ts";

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
  | "replicas"
  | "maxValues"
  | "maxDelayMs"
  | "maskKeys"
  | "maskPatterns"
>;

/**
 * How to reach the server. What is left out comes from the environment (`MILLRACE_…`), then from
 * `configFile`, then from the defaults. See `docs/configuration.md`.
 */
export interface ConnectOptions extends Pick<ConfigInput, ConnectionKey> {
  /**
   * Shown in the server's list of connections. Default: `millrace-client`. A name that is given is
   * also `messaging.client.id` on publish spans.
   */
  readonly name?: string;
  /** A configuration file to read. Default: none. */
  readonly configFile?: string;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * Keep trying while no server answers yet. Default false: it fails at once, and a program that
   * can't do without a server ends.
   */
  readonly waitForServer?: boolean;
  /** Ends the waiting for a server. */
  readonly signal?: AbortSignal;
  /** A broker of your own instead of a connection. `close()` closes it. */
  readonly broker?: Broker;
  readonly clock?: Clock;
  /**
   * Told of what is enqueued and of locks that were waited for. Default: none. See
   * `docs/metrics.md`.
   */
  readonly metrics?: MetricsCollector;
  /**
   * Follows every publish, and every lock that is waited for: `telemetry()` of
   * `millrace/telemetry`. Default: none, which costs nothing.
   */
  readonly instrumentation?: Instrumentation;
}

/** With which database's transactions a client enqueues. */
interface OutboxChoice<Adapter extends OutboxAdapter> {
  /**
   * The adapter of the library that your transactions are of, such as `pgTransaction` of
   * `millrace/outbox`: the client gets `outbox(tx)`.
   */
  readonly outbox: Adapter;
}

const OWN_NAMES = optionNames<
  Omit<ConnectOptions & Partial<OutboxChoice<OutboxAdapter>>, ConnectionKey>
>({
  ...{ name: true, configFile: true, env: true, waitForServer: true, signal: true, outbox: true },
  ...{ broker: true, clock: true, metrics: true, instrumentation: true },
});
/** One object may hold the options of a node as well: fields that a client does not need. */
const NAMES: ReadonlySet<string> = new Set([...OWN_NAMES, ...FIELD_KEYS]);

/**
 * Connects a producer. The connection reconnects for ever by itself.
 *
 * @param options.signal its reason is what this rejects with
 * @throws MillraceError `invalid-option`, `server-unreachable`, `auth-failed`, `server-too-old`,
 *   `jetstream-disabled` …
 * @example
 * await using millrace = await connect({ servers: "nats://localhost:4222" });
 * await millrace.enqueue(welcome, { to: "ada@example.com" });
 * @example
 * await using millrace = await connect({ outbox: pgTransaction });
 * await millrace.outbox(client).enqueue(chargeOrder, { id: order.id });
 */
export async function connect<Adapter extends OutboxAdapter>(
  options: ConnectOptions & OutboxChoice<Adapter>,
): Promise<MillraceWithOutbox<Adapter>>;
export async function connect(options?: ConnectOptions): Promise<Millrace>;
export async function connect(
  options: ConnectOptions & Partial<OutboxChoice<OutboxAdapter>> = {},
): Promise<Millrace> {
  requireNode();
  refuseUnknown(options, NAMES, "connect()");
  requireParts(options);
  if (options.name !== undefined) requireText(options.name, "name");
  const {
    name = "millrace-client",
    configFile,
    env,
    broker: own,
    clock = systemClock,
    metrics: collector = noMetrics,
    instrumentation,
    waitForServer = false,
    signal,
    outbox,
    ...fields
  } = options;
  requireAdapter(outbox);
  const config = await codeConfig({
    fields: { ...fields },
    ...(configFile === undefined ? {} : { configFile }),
    // Who brings a broker has not asked for what the environment says of servers.
    ...(own !== undefined ? { env: {} } : env === undefined ? {} : { env }),
  });
  const mask = maskOf(config);
  const metrics = namespacedMetrics(collector, config.namespace);
  const clientOf = async (broker: Broker): Promise<Millrace> => {
    const counted = countingBroker(broker, metrics, clock);
    const traced =
      instrumentation === undefined
        ? counted
        : instrumentedBroker(counted, instrumentation, warnOnce(), options.name);
    const client = createClient(traced, clock, { metrics, instrumentation, mask });
    if (outbox === undefined) return client;
    return withOutbox(client, outbox, {
      clock,
      ...(instrumentation === undefined ? {} : { instrumentation }),
    });
  };
  if (own !== undefined) return clientOf(own);
  return clientOf(
    await connectBroker({
      ...connectionOptions(config, name),
      waitOnFirstConnect: waitForServer,
      ...(signal === undefined ? {} : { signal }),
    }),
  );
}

/** A client has no log. One warning says it; one for each publish would only repeat it. */
function warnOnce(): (error: unknown) => void {
  let warned = false;
  return (error) => {
    if (warned) return;
    warned = true;
    process.emitWarning(
      `The instrumentation threw: ${recordError(error).message}`,
      "MillraceWarning",
    );
  };
}
