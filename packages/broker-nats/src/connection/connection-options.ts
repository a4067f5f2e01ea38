import { MillraceError } from "../errors.ts";
import { serverList } from "./server-list.ts";

/**
 * Who the connection is. Files are read when connecting, so a rotated file counts from the next
 * reconnect on.
 */
export type NatsAuth =
  | { readonly kind: "credentials"; readonly file: string }
  | { readonly kind: "nkey"; readonly seedFile: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "password"; readonly user: string; readonly password: string };

export interface NatsTls {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** The server expects TLS from the first byte (`handshake_first`). */
  readonly handshakeFirst?: boolean;
}

/**
 * Plain data only, so that it can be handed to the lease worker's thread as it is.
 * User and password (or a token) in a server's URL are used when `auth` is absent, and never shown.
 */
export interface NatsConnectionOptions {
  /** `host:port` or `nats://` / `tls://` URLs. */
  readonly servers: string | readonly string[];
  /** Shown in the server's connection list. */
  readonly name?: string;
  readonly auth?: NatsAuth;
  readonly tls?: NatsTls;
  /**
   * Keep trying while no server can be reached, for a node that may start before its server.
   * Default false.
   */
  readonly waitOnFirstConnect?: boolean;
  /** For one dial. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** A half-open connection is found after two of these. Default 5,000. */
  readonly pingIntervalMs?: number;
  /** Between two dials of one server. Default 250. */
  readonly reconnectWaitMs?: number;
  /** Where replies go, when permissions restrict inboxes. Default `_INBOX`. */
  readonly inboxPrefix?: string;
}

export interface ServerAddresses {
  /** Without credentials: what may be dialled and shown. */
  readonly urls: readonly string[];
  readonly auth: NatsAuth | undefined;
}

/**
 * Splits the credentials off the server URLs, so that no URL that is kept can leak them.
 *
 * @throws MillraceError `invalid-option`, without what was given
 */
export function serverAddresses(
  options: Pick<NatsConnectionOptions, "servers" | "auth">,
): ServerAddresses {
  const given = typeof options.servers === "string" ? serverList(options.servers) : options.servers;
  let auth = options.auth;
  const urls = given.map((server) => {
    const [, scheme = "", userInfo, host = ""] =
      /^([a-z]+:\/\/)?(?:(.*)@)?(.*)$/i.exec(server.trim()) ?? [];
    if (userInfo !== undefined) auth ??= authOf(userInfo);
    return `${scheme.toLowerCase()}${host}`;
  });
  return { urls, auth };
}

function authOf(userInfo: string): NatsAuth {
  const colon = userInfo.indexOf(":");
  if (colon < 0) return { kind: "token", token: decoded(userInfo) };
  return {
    kind: "password",
    user: decoded(userInfo.slice(0, colon)),
    password: decoded(userInfo.slice(colon + 1)),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new MillraceError(
      "invalid-option",
      "A server's address has a % in its user, password or token that begins no encoded character. Write it as %25.",
    );
  }
}
