import { accessSync, constants } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AuthorizationError,
  ConnectionError,
  type ConnectionOptions,
  type NatsConnection,
  TimeoutError,
  UserAuthenticationExpiredError,
} from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { MillraceError } from "../errors.ts";
import { authenticatorOf } from "./authenticator.ts";
import { closeForGood } from "./close-for-good.ts";
import { type NatsConnectionOptions, type NatsTls, serverAddresses } from "./connection-options.ts";
import { endFailedDials } from "./end-failed-dials.ts";
import { requireJetStream } from "./jetstream-check.ts";
import { type ServerFeatures, serverFeatures } from "./server-features.ts";

export interface ConnectedNats {
  readonly nc: NatsConnection;
  readonly features: ServerFeatures;
}

/**
 * Connects, and proves that the server is new enough and runs JetStream. The connection then
 * reconnects for ever.
 *
 * @param onRefused called for each dial that failed and is made again, and while JetStream gives no
 *   answer
 * @throws MillraceError `server-unreachable`, `auth-failed`, `credentials-unreadable`,
 *   `tls-failed`, `server-too-old`, `jetstream-disabled`; without `waitOnFirstConnect`
 *   `broker-unavailable`; the signal's reason
 * @example
 * const { nc, features } = await connectNats({ servers: "nats://localhost:4222" });
 */
export async function connectNats(
  options: NatsConnectionOptions,
  signal?: AbortSignal,
  onRefused: (error: MillraceError) => void = () => {},
): Promise<ConnectedNats> {
  const nc = await dial(options, signal, onRefused);
  try {
    const features = serverFeatures(nc.info?.version ?? "");
    await requireJetStream(nc, {
      signal,
      // It was reached, and is gone again or without a leader: the same to who waits for it.
      onSilence: options.waitOnFirstConnect === true ? onRefused : undefined,
    });
    return { nc, features };
  } catch (error) {
    await closeForGood(nc);
    throw error;
  }
}

async function dial(
  options: NatsConnectionOptions,
  signal: AbortSignal | undefined,
  onRefused: (error: MillraceError) => void,
): Promise<NatsConnection> {
  const { urls, native } = nativeOptions(options);
  endFailedDials();
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted();
    try {
      return await unlessAborted(connect(native), signal);
    } catch (cause) {
      signal?.throwIfAborted();
      const error = connectError(cause, urls);
      // Wrong credentials don't mend themselves.
      if (error.code !== "server-unreachable") throw error;
      // Without being told to wait: one that died while it was greeted is tried again, as behind an
      // address of several servers another may answer.
      if (options.waitOnFirstConnect !== true && (tries > 1 || !wasReached(cause))) throw error;
      onRefused(error);
    }
    await sleep(native.reconnectTimeWait ?? 250, undefined, signal === undefined ? {} : { signal })
      // It would reject with an error of its own; the look at the signal says the reason.
      .catch(() => {});
  }
}

/** A dial can't be called back: a connection that comes of it after all is closed. */
async function unlessAborted(
  dialled: Promise<NatsConnection>,
  signal: AbortSignal | undefined,
): Promise<NatsConnection> {
  if (signal === undefined) return dialled;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([dialled, aborted.promise]);
  } catch (error) {
    if (signal.aborted) dialled.then(closeForGood, () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Something was there, and went away or fell silent before it had said who it is. The client
 * notices only by its timeout where that was after the first byte.
 */
function wasReached(cause: unknown): boolean {
  return (
    cause instanceof TimeoutError ||
    codeOf(cause) === "ECONNRESET" ||
    (cause instanceof ConnectionError && cause.cause === undefined)
  );
}

/** A missing file would otherwise look like a server that doesn't answer. */
function requireFiles({ caFile, certFile, keyFile }: NatsTls): void {
  for (const file of [caFile, certFile, keyFile]) {
    if (file === undefined) continue;
    try {
      accessSync(file, constants.R_OK);
    } catch (cause) {
      throw new MillraceError(
        "tls-failed",
        `The TLS file ${file} can't be read. Check the path and its permissions.`,
        { cause },
      );
    }
  }
}

function nativeOptions(options: NatsConnectionOptions): {
  urls: readonly string[];
  native: ConnectionOptions;
} {
  const { urls, auth } = serverAddresses(options);
  if (options.tls !== undefined) requireFiles(options.tls);
  return {
    urls,
    native: {
      servers: [...urls],
      timeout: options.connectTimeoutMs ?? 5_000,
      pingInterval: options.pingIntervalMs ?? 5_000,
      maxPingOut: 2,
      reconnectTimeWait: options.reconnectWaitMs ?? 250,
      maxReconnectAttempts: -1,
      // A node outlives a rotation of its credentials: a refused reconnect is tried again like any
      // other.
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
      ...(auth === undefined ? {} : { authenticator: authenticatorOf(auth) }),
      ...(options.tls === undefined ? {} : { tls: { ...options.tls } }),
    },
  };
}

function connectError(cause: unknown, urls: readonly string[]): MillraceError {
  if (cause instanceof MillraceError) return cause;
  const servers = urls.join(", ");
  if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError) {
    return new MillraceError(
      "auth-failed",
      `The NATS server at ${servers} refused these credentials. Check user and password, token or credentials file.`,
      { cause },
    );
  }
  const text = `${codeOf(cause)} ${cause instanceof Error ? cause.message : String(cause)}`;
  if (/CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|\btls\b|wrong version number/i.test(text)) {
    return new MillraceError(
      "tls-failed",
      `No TLS connection to the NATS server at ${servers}: ${text.trim()}. Check the CA, certificate and key files and handshakeFirst.`,
      { cause },
    );
  }
  return new MillraceError(
    "server-unreachable",
    `No NATS server answers at ${servers}. Start one, or correct the address.`,
    { cause },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
