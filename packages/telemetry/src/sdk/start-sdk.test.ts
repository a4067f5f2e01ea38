import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { afterEach, expect, test, vi } from "vitest";
import { hasSdk } from "../tracing/tracer.ts";
import { startTelemetrySdk } from "./start-sdk.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  trace.disable();
  context.disable();
  propagation.disable();
  metrics.disable();
});

function exportTo(port: number): void {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${port}`);
  vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
  vi.stubEnv("OTEL_METRICS_EXPORTER", "none");
  vi.stubEnv("OTEL_LOGS_EXPORTER", "none");
}

const SERVICE = { serviceName: "millrace", serviceVersion: "1.2.3" };

interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: {
      readonly attributes: readonly { readonly key: string; readonly value: object }[];
    };
    readonly scopeSpans: readonly { readonly spans: readonly { readonly name: string }[] }[];
  }[];
}

test("what the environment says is exported at the shutdown, under the node's name and without its command line", async () => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      response.end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    exportTo((server.address() as AddressInfo).port);
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    expect(hasSdk()).toBe(false);
    const sdk = startTelemetrySdk({ ...SERVICE, nodeId: "node-7" });
    expect(hasSdk()).toBe(true);
    trace.getTracer("test").startSpan("one").end();
    await sdk.shutdown();
    await sdk.shutdown();
  } finally {
    server.close();
  }
  const [exported] = bodies.map((body) => (JSON.parse(body) as Exported).resourceSpans[0]);
  expect(exported?.scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name))).toEqual([
    "one",
  ]);
  const resource = Object.fromEntries(
    (exported?.resource.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]),
  ) as Record<string, unknown>;
  expect(resource).toMatchObject({
    "service.name": "millrace",
    "service.version": "1.2.3",
    "service.instance.id": "node-7",
    "host.name": expect.any(String) as string,
    "deployment.environment.name": "test",
  });
  expect(Object.keys(resource).filter((key) => key.startsWith("process."))).toEqual([]);
});

test("OTEL_SERVICE_NAME goes before ours", async () => {
  exportTo(1);
  vi.stubEnv("OTEL_SERVICE_NAME", "mail-workers");
  const sdk = startTelemetrySdk({ serviceName: "millrace" });
  const span = trace.getTracer("test").startSpan("one") as unknown as {
    resource: { attributes: Record<string, unknown> };
  };
  expect(span.resource.attributes["service.name"]).toBe("mail-workers");
  await sdk.shutdown();
});

test("a collector that takes the connection and never answers keeps the shutdown 3 seconds, no longer", async () => {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    exportTo((server.address() as AddressInfo).port);
    const sdk = startTelemetrySdk({ serviceName: "millrace" });
    trace.getTracer("test").startSpan("one").end();
    const began = performance.now();
    await sdk.shutdown();
    expect(performance.now() - began).toBeLessThan(5_000);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}, 15_000);
