import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { startMillrace } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { readExposition } from "./exposition.ts";

const JOBS = fileURLToPath(new URL("../cli/jobs.ts", import.meta.url));
const double = defineJob<{ n: number }>({ name: "double", queue: "work" });

interface Point {
  readonly attributes?: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string };
  }[];
  readonly asDouble?: number;
  readonly asInt?: string | number;
  readonly count?: string | number;
}

interface Exported {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly [form: string]: unknown;
      }[];
    }[];
  }[];
}

/**
 * An OTLP receiver. The values of each series as the last export had them:
 * `millrace_queue_depth {"queue":"work"}`.
 */
async function receiver() {
  const series = new Map<string, number>();
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.url === "/v1/metrics") take(JSON.parse(body) as Exported);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  const take = ({ resourceMetrics }: Exported): void => {
    for (const metric of resourceMetrics
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)) {
      const form = (metric["sum"] ?? metric["gauge"] ?? metric["histogram"]) as {
        readonly dataPoints: readonly Point[];
      };
      for (const { attributes = [], asDouble, asInt, count } of form.dataPoints) {
        const labels = Object.fromEntries(
          attributes.map(({ key, value }) => [key, value.stringValue ?? ""]),
        );
        series.set(
          `${metric.name} ${JSON.stringify(labels)}`,
          Number(count ?? asInt ?? asDouble ?? Number.NaN),
        );
      }
    }
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { series, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describeEachServer("metrics over OTLP", (server) => {
  test("`millrace run` exports what its page shows, and reads the queues for it although nobody scrapes", async () => {
    const namespace = server.namespace();
    const { series, url } = await receiver();
    const within = (one: string): string =>
      one.replace("{", `{"millrace_namespace":"${namespace}",`);
    const child = startMillrace(
      ["run", JOBS, "--health-port", "0", "--health-host", "127.0.0.1", "--json"],
      {
        MILLRACE_SERVERS: server.url,
        MILLRACE_NAMESPACE: namespace,
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_METRIC_EXPORT_INTERVAL: "300",
        OTEL_METRIC_EXPORT_TIMEOUT: "300",
      },
    );
    const { healthUrl } = JSON.parse(await child.line(/"healthUrl"/, 30_000)) as {
      healthUrl: string;
    };
    const millrace = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => millrace.close());
    await millrace.enqueueMany(double, [{ input: { n: 1 } }, { input: { n: 2 } }]);
    await millrace.enqueue(double, { n: 3 }, { delay: "1h" });
    await eventually(() => series.get(within('millrace_queue_delayed {"queue":"work"}')) === 1, {
      withinMs: 20_000,
      describe: () =>
        `the delayed job is exported; there are\n${[...series].map((one) => one.join(" ")).join("\n")}`,
    });
    await eventually(
      () =>
        series.get(within('millrace_jobs_succeeded_total {"queue":"work","job_name":"double"}')) ===
        2,
      { withinMs: 20_000, describe: "two jobs are exported as succeeded" },
    );
    expect(
      series.get(
        within(
          'millrace_job_duration_seconds {"queue":"work","job_name":"double","outcome":"succeeded"}',
        ),
      ),
    ).toBe(2);
    expect(series.get(within('millrace_leader {"role":"queue-metrics"}'))).toBe(1);
    expect(series.get(within('millrace_slots {"queue":"work"}'))).toBe(16);

    const page = await fetch(`${healthUrl}/metrics`, { headers: { connection: "close" } });
    const shown = readExposition(await page.text());
    expect(shown.value("millrace_jobs_succeeded_total", { job_name: "double" })).toBe(2);
    expect(shown.value("millrace_queue_delayed", { queue: "work" })).toBe(1);
    child.signal("SIGTERM");
    expect(await child.exit(90_000)).toMatchObject({ code: 0 });
  });
});
