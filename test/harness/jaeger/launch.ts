import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort, guardChild } from "@millrace/nats-server";
import { cleanUpLater } from "../cleanup.ts";
import { eventually } from "../deadline.ts";
import { type JaegerQuery, jaegerQuery } from "./query.ts";

/** A private Jaeger that keeps what it gets in memory. Ends with the test that started it. */
export interface LaunchedJaeger {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly otlpUrl: string;
  readonly query: JaegerQuery;
  stop(): Promise<void>;
}

const READY_MS = 30_000;

export async function launchJaeger(path: string): Promise<LaunchedJaeger> {
  const ports = {
    otlp: await findFreePort(),
    query: await findFreePort(),
    queryGrpc: await findFreePort(),
  };
  const folder = await mkdtemp(join(tmpdir(), "millrace-jaeger-"));
  const config = join(folder, "jaeger.yaml");
  await writeFile(config, configuration(ports));
  const child = spawn(path, ["--config", config], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)));
  const failed = once(child, "error").then(([error]) => void (log += String(error)));
  if (child.pid !== undefined) child.once("exit", guardChild(child.pid, folder));
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  };
  cleanUpLater(stop);
  void failed;

  const query = jaegerQuery(`http://127.0.0.1:${ports.query}`);
  const otlpUrl = `http://127.0.0.1:${ports.otlp}`;
  await eventually(
    async () => {
      const takes = await fetch(`${otlpUrl}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ resourceSpans: [] }),
      });
      return takes.ok && (await query.services());
    },
    {
      withinMs: READY_MS,
      everyMs: 50,
      describe: () => `Jaeger at ${path} is up. Its log:\n${log}`,
    },
  );
  return { otlpUrl, query, stop };
}

/** The all-in-one of Jaeger's own, on ports of the test's, without what a test has no use for. */
function configuration(ports: { otlp: number; query: number; queryGrpc: number }): string {
  return `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [jaeger_storage_exporter]
  telemetry:
    metrics: { level: none }
    logs: { level: warn }
extensions:
  jaeger_storage:
    backends:
      memory: { memory: { max_traces: 10000 } }
  jaeger_query:
    storage: { traces: memory }
    http: { endpoint: "127.0.0.1:${ports.query}" }
    grpc: { endpoint: "127.0.0.1:${ports.queryGrpc}" }
receivers:
  otlp:
    protocols:
      http: { endpoint: "127.0.0.1:${ports.otlp}" }
processors:
  batch: { timeout: 50ms }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
`;
}
