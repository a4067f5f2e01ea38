import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import {
  MillraceError,
  optionNames,
  refuseUnknown,
  requireCount,
  type Stoppable,
  systemClock,
} from "@millrace/core";
import type { Health } from "./health.ts";
import { sharedPage } from "./shared-page.ts";

/** What probes are answered, and whatever else is told beside it. */
export type Probes = Pick<Health, "live" | "ready" | "problems">;

export interface HealthServerOptions {
  readonly health: () => Probes;
  /** 0 takes any free port. */
  readonly port: number;
  /** Default: all interfaces, as probes come from outside the container. */
  readonly host?: string;
  /**
   * The text of `/metrics` in Prometheus' format. Left out: 404. Where it takes more than ten
   * seconds, those who wait are answered with 503.
   */
  readonly metrics?: () => Promise<string> | string;
}

const NAMES = optionNames<HealthServerOptions>({
  ...{ health: true, port: true, host: true, metrics: true },
});

export interface HealthServer extends Stoppable {
  readonly port: number;
}

/** Probes and scrapers need a handful. */
const MAX_CONNECTIONS = 100;
/** For whoever takes no answer, or ends no request. */
const PATIENCE_MS = 30_000;

/**
 * Answers `GET /livez`, `/readyz` (200 or 503, with the reasons as JSON) and `/metrics`.
 *
 * @throws MillraceError `health-port-taken`, `invalid-option`
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  refuseUnknown(options, NAMES, "startHealthServer()");
  requireCount(options.port, "port", 0, 65_535);
  // Not by `import`: that asks the module for everything that it exports, and Node loads a client
  // for HTTP and WebSocket, 13 MB, for what nobody uses here.
  const { createServer } = process.getBuiltinModule("node:http");
  const page = options.metrics && sharedPage(options.metrics, systemClock);
  const asking = new WeakSet<Socket>();
  const server = createServer((request, response) => {
    const { socket } = request;
    // No probe and no scraper asks again before it has its answer. Each answer would be kept here
    // until it is read, and each page takes its time to make.
    if (asking.has(socket)) return void socket.destroy();
    asking.add(socket);
    response.once("finish", () => asking.delete(socket));
    void answer({ ...options, metrics: page }, request.url ?? "/", response);
  });
  limit(server, asking);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new MillraceError(
          "health-port-taken",
          `Port ${options.port} for health and metrics can't be used (${cause.code ?? cause.message}). Choose another, or 0 for any.`,
          { cause },
        ),
      );
    });
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * The port is open to whoever reaches it. Where it is full the oldest connection gives way that has
 * asked for nothing, and the newest is taken: that one is the kubelet's, which ends a node that it
 * can't ask. A probe is answered at once, so the oldest of those who have asked waits for a page.
 */
function limit(server: Server, asking: WeakSet<Socket>): void {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    if (open.size >= MAX_CONNECTIONS) {
      const all = [...open];
      const least = all.find((one) => !asking.has(one)) ?? all[0];
      least?.destroy();
      if (least !== undefined) open.delete(least);
    }
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.timeout = PATIENCE_MS;
  server.headersTimeout = PATIENCE_MS;
  server.requestTimeout = PATIENCE_MS;
}

async function answer(
  options: Pick<HealthServerOptions, "health"> & {
    readonly metrics: (() => Promise<string | undefined>) | undefined;
  },
  url: string,
  response: ServerResponse,
): Promise<void> {
  const path = url.split("?", 1)[0] ?? "";
  switch (path) {
    case "/livez":
    case "/readyz": {
      try {
        const health = options.health();
        const well = path === "/livez" ? health.live : health.ready;
        send(response, well ? 200 : 503, "application/json", `${JSON.stringify(health)}\n`);
      } catch {
        // A fault in what is reported ends no node.
        send(response, 500, "text/plain", "the health can't be read\n");
      }
      return;
    }
    case "/metrics":
      if (options.metrics !== undefined) {
        try {
          const page = await options.metrics();
          if (page === undefined) send(response, 503, "text/plain", "the metrics take too long\n");
          else send(response, 200, "text/plain; version=0.0.4; charset=utf-8", page);
        } catch {
          send(response, 500, "text/plain", "the metrics can't be read\n");
        }
        return;
      }
      break;
    default:
      break;
  }
  send(response, 404, "text/plain", "GET /livez, /readyz or /metrics\n");
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type }).end(body);
}
