import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { cleanUpLater } from "./cleanup.ts";
import { FrameCutter, type NatsFrame } from "./nats-frames.ts";

type Mode = "open" | "cut" | "blackhole";
type Filter = (frame: NatsFrame) => boolean;

/** A TCP proxy in front of a server (no TLS). Closed when the test that made it has finished. */
export interface NatsProxy {
  /** Connect here instead of to the server. */
  readonly url: string;
  /** The ports that the server sees it come from, one a connection. */
  readonly outwardPorts: readonly number[];
  /** Messages dropped by filters so far. */
  readonly dropped: number;
  /** Connections that ended before the server had said a word: a client's vain dials. */
  readonly unanswered: number;
  /** Breaks all connections and refuses new ones. */
  cut(): void;
  /** Connections stay open and new ones are accepted, but no byte passes in either direction. */
  blackhole(): void;
  /** Ends `cut` and `blackhole`: what waited in a black hole is delivered. */
  heal(): void;
  /** Drops each message from the server that matches. Returns the function that ends it. */
  dropFromServer(matches: Filter): () => void;
  /** Drops each message to the server that matches. Returns the function that ends it. */
  dropToServer(matches: Filter): () => void;
  close(): Promise<void>;
}

/**
 * @param speaks what passes: filters see the messages of clients; what servers say to each other
 *   passes as it is
 */
export async function startProxy(
  serverUrl: string,
  speaks: "client" | "route" = "client",
): Promise<NatsProxy> {
  const target = new URL(serverUrl);
  const pairs = new Set<readonly [client: Socket, upstream: Socket]>();
  const fromServer = new Set<Filter>();
  const toServer = new Set<Filter>();
  let mode: Mode = "open";
  let dropped = 0;
  let unanswered = 0;

  const forward = (from: Socket, to: Socket, filters: ReadonlySet<Filter>): void => {
    const cutter = new FrameCutter();
    from.on("data", (bytes: Buffer) => {
      if (speaks === "route") return void to.write(bytes);
      for (const piece of cutter.push(bytes)) {
        const { frame } = piece;
        if (frame !== undefined && [...filters].some((matches) => matches(frame))) dropped += 1;
        else to.write(piece.bytes);
      }
    });
    from.on("close", () => to.destroy());
    from.on("error", () => to.destroy());
  };

  const server: Server = createServer((client) => {
    if (mode === "cut") {
      unanswered += 1;
      return void client.destroy();
    }
    const upstream = connect(Number(target.port), target.hostname);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.on("close", () => {
      pairs.delete(pair);
      if (upstream.bytesRead === 0) unanswered += 1;
    });
    forward(client, upstream, toServer);
    forward(upstream, client, fromServer);
    if (mode === "blackhole") for (const socket of pair) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const each = (act: (socket: Socket) => void): void => {
    for (const pair of pairs) pair.forEach(act);
  };
  const install = (filters: Set<Filter>, matches: Filter): (() => void) => {
    filters.add(matches);
    return () => void filters.delete(matches);
  };
  const close = (): Promise<void> => {
    each((socket) => void socket.destroy());
    return new Promise((resolve) => server.close(() => resolve()));
  };
  cleanUpLater(close);

  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get outwardPorts() {
      return [...pairs].flatMap(([, upstream]) => upstream.localPort ?? []);
    },
    get dropped() {
      return dropped;
    },
    get unanswered() {
      return unanswered;
    },
    cut() {
      mode = "cut";
      each((socket) => void socket.destroy());
    },
    blackhole() {
      mode = "blackhole";
      each((socket) => void socket.pause());
    },
    heal() {
      mode = "open";
      each((socket) => void socket.resume());
    },
    dropFromServer: (matches) => install(fromServer, matches),
    dropToServer: (matches) => install(toServer, matches),
    close,
  };
}
