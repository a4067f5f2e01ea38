import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort, guardChild } from "@millrace/nats-server";
import { stringify } from "yaml";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";

/** A private Prometheus that scrapes every second. Ends with the file that started it. */
export interface LivePrometheus {
  /** Values of what an expression selects now. */
  query(expr: string): Promise<readonly number[]>;
  /** Names of the alerts that fire. */
  firing(): Promise<ReadonlySet<string>>;
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }[];
  };
}

/**
 * @param targets `host:port` of what is scraped
 * @param rules what a rule file holds
 * @param more what else is scraped, as Prometheus' configuration has it
 */
export async function launchPrometheus(
  path: string,
  targets: readonly string[],
  rules: object,
  more: readonly object[] = [],
): Promise<LivePrometheus> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-prometheus-"));
  const [port, config, alerts] = [
    await findFreePort(),
    join(folder, "prometheus.yaml"),
    join(folder, "alerts.yaml"),
  ];
  await writeFile(alerts, stringify(rules));
  await writeFile(
    config,
    stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [alerts],
      scrape_configs: [{ job_name: "millrace", static_configs: [{ targets }] }, ...more],
    }),
  );
  const args = [
    ...[`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`],
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = spawn(path, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)));
  if (child.pid !== undefined) child.once("exit", guardChild(child.pid, folder));
  cleanUpLater(async () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/-/ready`)).ok, {
    withinMs: 60_000,
    everyMs: 100,
    describe: () => `Prometheus at ${path} is up. Its log:\n${log}`,
  });
  const ask = async (expr: string): Promise<Answer["data"]["result"]> => {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return ((await response.json()) as Answer).data.result;
  };
  return {
    query: async (expr) => (await ask(expr)).map(({ value }) => Number(value[1])),
    firing: async () =>
      new Set(
        (await ask('ALERTS{alertstate="firing"}')).map(({ metric }) => metric["alertname"] ?? ""),
      ),
  };
}
