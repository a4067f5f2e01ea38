import { field } from "./field.ts";
import {
  duration,
  file,
  flag,
  list,
  namespace,
  patterns,
  servers,
  text,
  timerDuration,
  whole,
} from "./field-kinds.ts";

/** How NATS is reached, and what producers, nodes and commands must agree on. */
export const CONNECTION_FIELDS = {
  /**
   * NATS servers of one cluster, with commas between them. A URL may hold user:password or a token.
   * Default: `nats://127.0.0.1:4222`.
   */
  servers: field({
    group: "connection",
    kind: servers,
    flag: "server",
    env: ["MILLRACE_SERVERS", "MILLRACE_SERVER"],
    default: ["nats://127.0.0.1:4222"],
    secret: "url",
    about:
      "NATS servers of one cluster, with commas between them. A URL may hold user:password or a token.",
  }),
  /** Prefix of every stream, subject and bucket. Two namespaces never meet. Default: `millrace`. */
  namespace: field({
    group: "namespace",
    kind: namespace,
    flag: "namespace",
    env: ["MILLRACE_NAMESPACE"],
    default: "millrace",
    about: "Prefix of every stream, subject and bucket. Two namespaces never meet.",
  }),
  /** NATS credentials file (JWT and seed). */
  credsFile: field({
    group: "connection",
    kind: file,
    flag: "creds",
    env: ["MILLRACE_CREDS"],
    about: "NATS credentials file (JWT and seed).",
  }),
  /** File with an nkey seed. */
  nkeyFile: field({
    group: "connection",
    kind: file,
    flag: "nkey-file",
    env: ["MILLRACE_NKEY_FILE"],
    about: "File with an nkey seed.",
  }),
  /** NATS token. */
  token: field({
    group: "connection",
    kind: text,
    env: ["MILLRACE_TOKEN"],
    secret: true,
    about: "NATS token.",
  }),
  /** NATS user; its password comes from the environment or the file. */
  user: field({
    group: "connection",
    kind: text,
    flag: "user",
    env: ["MILLRACE_USER"],
    about: "NATS user; its password comes from the environment or the file.",
  }),
  /** Password of the NATS user. */
  password: field({
    group: "connection",
    kind: text,
    env: ["MILLRACE_PASSWORD"],
    secret: true,
    about: "Password of the NATS user.",
  }),
  /** Certificate authority that signed the server's certificate, PEM. */
  tlsCaFile: field({
    group: "connection",
    kind: file,
    flag: "tls-ca",
    env: ["MILLRACE_TLS_CA"],
    about: "Certificate authority that signed the server's certificate, PEM.",
  }),
  /** Client certificate, PEM. */
  tlsCertFile: field({
    group: "connection",
    kind: file,
    flag: "tls-cert",
    env: ["MILLRACE_TLS_CERT"],
    about: "Client certificate, PEM.",
  }),
  /** Key of the client certificate, PEM. */
  tlsKeyFile: field({
    group: "connection",
    kind: file,
    flag: "tls-key",
    env: ["MILLRACE_TLS_KEY"],
    about: "Key of the client certificate, PEM.",
  }),
  /** The server expects TLS from the first byte. Default: `false`. */
  tlsHandshakeFirst: field({
    group: "connection",
    kind: flag,
    flag: "tls-handshake-first",
    env: ["MILLRACE_TLS_HANDSHAKE_FIRST"],
    default: false,
    about: "The server expects TLS from the first byte.",
  }),
  /** How long one attempt to connect may take. Default: `5s`. */
  connectTimeoutMs: field({
    group: "connection",
    kind: timerDuration,
    flag: "connect-timeout",
    env: ["MILLRACE_CONNECT_TIMEOUT"],
    default: 5_000,
    about: "How long one attempt to connect may take.",
  }),
  /**
   * Values that a job's body may hold, keys of maps included. The same in producers and nodes.
   * Default: `100000`.
   */
  maxValues: field({
    group: "namespace",
    kind: whole(1_000, 100_000_000),
    flag: "max-values",
    env: ["MILLRACE_MAX_VALUES"],
    default: 100_000,
    about:
      "Values that a job's body may hold, keys of maps included. The same in producers and nodes.",
  }),
  /**
   * How far ahead a producer may put a job's start. The same in producers and nodes. Default:
   * `366d`.
   */
  maxDelayMs: field({
    group: "namespace",
    kind: duration,
    flag: "max-delay",
    env: ["MILLRACE_MAX_DELAY"],
    default: 366 * 86_400_000,
    about: "How far ahead a producer may put a job's start. The same in producers and nodes.",
  }),
  /**
   * Keys whose values are hidden besides those that always are, in what is logged, recorded or
   * shown.
   */
  maskKeys: field({
    group: "masking",
    kind: list,
    flag: "mask-keys",
    env: ["MILLRACE_MASK_KEYS"],
    about:
      "Keys whose values are hidden besides those that always are, in what is logged, recorded or shown.",
  }),
  /** Regular expressions, one a line, of what is hidden besides in texts. */
  maskPatterns: field({
    group: "masking",
    kind: patterns,
    flag: "mask-patterns",
    env: ["MILLRACE_MASK_PATTERNS"],
    about: "Regular expressions, one a line, of what is hidden besides in texts.",
  }),
} as const;
