import { createConnection } from "node:net";
import { headers as newHeaders } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { DOGGED } from "./administrator.ts";
import { cleanUpLater } from "./cleanup.ts";
import { eventually, within } from "./deadline.ts";

/** What JetStream answered a publish. */
export interface Ack {
  readonly stream: string;
  readonly seq: number;
  readonly duplicate?: boolean;
  readonly error?: {
    readonly code: number;
    readonly err_code: number;
    readonly description: string;
  };
}

/** Why no leader is killed where it is the producer, and its messages have no id. */
export const UNDISTURBED = "a bare client doesn't send again what a dying leader was asked";

/** A NATS client that knows nothing of Millrace, and checks nothing. */
export interface BareClient {
  /**
   * With a `Nats-Msg-Id` it does what every producer has to: what an election swallows is sent
   * again under the same id.
   */
  publish(
    subject: string,
    body: Uint8Array | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Ack>;
}

export async function bareClient(server: { readonly url: string }): Promise<BareClient> {
  const nc = await connect({ servers: server.url, ...DOGGED });
  cleanUpLater(() => nc.close());
  return {
    publish: async (subject, body, headers = {}) => {
      const head = newHeaders();
      for (const [name, value] of Object.entries(headers)) head.set(name, value);
      const send = () => nc.request(subject, body, { timeout: 10_000, headers: head });
      const reply = await (head.has("Nats-Msg-Id")
        ? eventually(send, { withinMs: 20_000, describe: `${subject} is stored` })
        : send());
      return reply.json<Ack>();
    },
  };
}

export interface RawOptions {
  /** Its name is its password. */
  readonly user?: string;
  /** What the block begins with. Default: as an ordinary message does. */
  readonly first?: string;
}

/**
 * Publishes a header block as it is, which no client lets through; resolves when the server has
 * taken it.
 */
export async function publishRaw(
  server: { readonly url: string },
  subject: string,
  headerBlock: string,
  body: Uint8Array,
  { user, first = "NATS/1.0" }: RawOptions = {},
): Promise<void> {
  const { hostname, port } = new URL(server.url);
  const socket = createConnection({ host: hostname, port: Number(port) });
  const pong = new Promise<void>((resolve, reject) => {
    let seen = "";
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      seen += chunk.toString("latin1");
      if (seen.includes("-ERR")) reject(new Error(seen.slice(seen.indexOf("-ERR"))));
      else if (seen.includes("PONG")) resolve();
    });
  });
  const head = Buffer.from(`${first}\r\n${headerBlock}\r\n\r\n`, "utf8");
  const login = user === undefined ? {} : { user, pass: user };
  socket.write(`CONNECT ${JSON.stringify({ verbose: false, headers: true, ...login })}\r\n`);
  socket.write(`HPUB ${subject} ${head.length} ${head.length + body.length}\r\n`);
  socket.write(Buffer.concat([head, body]));
  socket.write("\r\nPING\r\n");
  try {
    await within(pong, 20_000, "the server's PONG");
  } finally {
    socket.destroy();
  }
}
