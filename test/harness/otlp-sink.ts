import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { cleanUpLater } from "./cleanup.ts";
import { within } from "./deadline.ts";
import {
  type MetricsRequest,
  pointsOf,
  type RecordedPoint,
  spansOf,
  type TracesRequest,
} from "./otlp-json.ts";
import { outline, type RecordedSpan } from "./recorded-span.ts";

/**
 * Where the processes under test send what they saw: OTLP over HTTP, JSON. Closed when the test has
 * finished.
 */
export interface OtlpSink {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  /** What makes the SDK of a process send everything here, and soon. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything that came so far, in the order it came. */
  spans(): readonly RecordedSpan[];
  metrics(): readonly RecordedPoint[];
  /** Bodies of `/v1/logs`, as they came. */
  logs(): readonly unknown[];
  /** Resolves with the spans once they satisfy the predicate; looked at on every arrival. */
  waitFor(
    predicate: (spans: readonly RecordedSpan[]) => boolean,
    withinMs: number,
  ): Promise<readonly RecordedSpan[]>;
  waitForMetrics(
    predicate: (points: readonly RecordedPoint[]) => boolean,
    withinMs: number,
  ): Promise<readonly RecordedPoint[]>;
  close(): Promise<void>;
}

export async function startOtlpSink(): Promise<OtlpSink> {
  const spans: RecordedSpan[] = [];
  const points: RecordedPoint[] = [];
  const logs: unknown[] = [];
  const watchers = new Set<() => void>();
  const take: Readonly<Record<string, (body: unknown) => void>> = {
    "/v1/traces": (body) => spans.push(...spansOf(body as TracesRequest)),
    "/v1/metrics": (body) => points.push(...pointsOf(body as MetricsRequest)),
    "/v1/logs": (body) => logs.push(body),
  };
  const server = createServer((request, response) => {
    void receive(request, response, take).then(() => watchers.forEach((watch) => watch()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const watched = <T>(
    all: readonly T[],
    predicate: (all: readonly T[]) => boolean,
    withinMs: number,
    what: () => string,
  ): Promise<readonly T[]> => {
    let watch = (): void => {};
    const seen = new Promise<readonly T[]>((resolve) => {
      watch = () => void (predicate(all) && resolve([...all]));
      watchers.add(watch);
      watch();
    });
    return within(seen, withinMs, what).finally(() => watchers.delete(watch));
  };
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  cleanUpLater(close);

  return {
    url,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
    spans: () => [...spans],
    metrics: () => [...points],
    logs: () => [...logs],
    waitFor: (predicate, withinMs) =>
      watched(spans, predicate, withinMs, () => `the spans; there are\n${outline(spans)}`),
    waitForMetrics: (predicate, withinMs) =>
      watched(points, predicate, withinMs, () => {
        const names = [...new Set(points.map(({ name }) => name))];
        return `the metrics; there are ${names.join(", ")}`;
      }),
    close,
  };
}

/**
 * Answers as a collector does. What is no JSON is refused loudly: an exporter with another protocol
 * would lose its spans here.
 */
async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  take: Readonly<Record<string, (body: unknown) => void>>,
): Promise<void> {
  const answer = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  const accept = take[request.url ?? ""];
  if (accept === undefined) return answer(404, { message: `nothing at ${request.url}` });
  if (request.headers["content-type"]?.startsWith("application/json") !== true)
    return answer(415, { message: "this sink reads JSON: OTEL_EXPORTER_OTLP_PROTOCOL=http/json" });
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const gzipped = request.headers["content-encoding"] === "gzip";
    accept(JSON.parse((gzipped ? gunzipSync(body) : body).toString("utf8")));
    answer(200, {});
  } catch (error) {
    answer(400, { message: String(error) });
  }
}
