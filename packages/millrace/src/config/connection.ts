import { defined } from "@millrace/core";
import type { NatsBrokerOptions, NatsConnectionOptions } from "@millrace/broker-nats";
import type { Config } from "./fields.ts";

const MIB = 2 ** 20;

/** The connection's part of a configuration, in the broker's words. */
export function connectionOptions(config: Config, name: string): NatsBrokerOptions {
  const auth = authOf(config);
  const tls = tlsOf(config);
  return {
    servers: config.servers,
    namespace: config.namespace,
    name,
    connectTimeoutMs: config.connectTimeoutMs,
    replicas: config.replicas,
    maxValues: config.maxValues,
    maxDelayMs: config.maxDelayMs,
    jobLogs: { maxAgeMs: config.jobLogsKeepMs, maxBytes: config.jobLogsMaxMb * MIB },
    ...defined({ auth, tls }),
  };
}

function authOf({
  credsFile,
  nkeyFile,
  token,
  user,
  password,
}: Config): NatsConnectionOptions["auth"] {
  if (credsFile !== undefined) return { kind: "credentials", file: credsFile };
  if (nkeyFile !== undefined) return { kind: "nkey", seedFile: nkeyFile };
  if (token !== undefined) return { kind: "token", token };
  return user === undefined || password === undefined
    ? undefined
    : { kind: "password", user, password };
}

function tlsOf({
  tlsCaFile,
  tlsCertFile,
  tlsKeyFile,
  tlsHandshakeFirst,
}: Config): NatsConnectionOptions["tls"] {
  if (tlsCaFile === undefined && tlsCertFile === undefined && !tlsHandshakeFirst) return undefined;
  return {
    ...defined({ caFile: tlsCaFile, certFile: tlsCertFile, keyFile: tlsKeyFile }),
    ...(tlsHandshakeFirst ? { handshakeFirst: true } : {}),
  };
}
