import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { outOfCluster } from "./cluster/out-of-cluster.ts";
import { startOtlpSink } from "./otlp-sink.ts";

const traces = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
      scopeSpans: [
        {
          scope: { name: "millrace" },
          spans: [
            {
              traceId: "a".repeat(32),
              spanId: "1".repeat(16),
              parentSpanId: "",
              name: "publish orders",
              kind: 4,
              startTimeUnixNano: "1700000000000500000",
              endTimeUnixNano: "1700000000001000000",
              attributes: [
                { key: "job.attempt", value: { intValue: "2" } },
                { key: "sampled", value: { boolValue: false } },
                { key: "tags", value: { arrayValue: { values: [{ stringValue: "a" }] } } },
              ],
              events: [{ name: "settled", timeUnixNano: "1700000000000700000" }],
              links: [{ traceId: "b".repeat(32), spanId: "2".repeat(16) }],
              status: { code: 2, message: "no" },
            },
          ],
        },
      ],
    },
  ],
};

const post = (url: string, body: string | Uint8Array, headers = {}): Promise<Response> =>
  fetch(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

test("spans are there as they were sent, also compressed, and whoever waits for them is told", async () => {
  const sink = await startOtlpSink();
  const both = sink.waitFor((spans) => spans.length === 2, 20_000);
  const text = JSON.stringify(traces);
  await post(`${sink.url}/v1/traces`, text);
  await post(`${sink.url}/v1/traces`, gzipSync(text), { "content-encoding": "gzip" });
  expect((await both)[1]).toEqual({
    traceId: "a".repeat(32),
    spanId: "1".repeat(16),
    parentSpanId: undefined,
    name: "publish orders",
    kind: "PRODUCER",
    startedAtMs: 1_700_000_000_000.5,
    endedAtMs: 1_700_000_000_001,
    status: "ERROR",
    statusMessage: "no",
    attributes: { "job.attempt": 2, sampled: false, tags: ["a"] },
    events: [{ name: "settled", atMs: 1_700_000_000_000.7, attributes: {} }],
    links: [{ traceId: "b".repeat(32), spanId: "2".repeat(16) }],
    resource: { "service.name": "shop" },
    scope: "millrace",
  });
});

test("metrics and logs", async () => {
  const sink = await startOtlpSink();
  await post(
    `${sink.url}/v1/metrics`,
    JSON.stringify({
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                { name: "jobs", sum: { dataPoints: [{ asInt: "7" }] } },
                {
                  name: "took",
                  unit: "s",
                  histogram: {
                    dataPoints: [
                      { count: "2", sum: 1.5, explicitBounds: [1], bucketCounts: ["1", "1"] },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  await post(`${sink.url}/v1/logs`, JSON.stringify({ resourceLogs: [] }));
  const points = await sink.waitForMetrics((all) => all.length === 2, 20_000);
  expect(points).toMatchObject([
    { name: "jobs", form: "sum", value: 7, count: undefined },
    { name: "took", unit: "s", value: 1.5, count: 2, bounds: [1], bucketCounts: [1, 1] },
  ]);
  expect(sink.logs()).toEqual([{ resourceLogs: [] }]);
});

test("what it can't read it refuses, and a wait that comes to nothing says what was there", async () => {
  outOfCluster();
  const sink = await startOtlpSink();
  const url = `${sink.url}/v1/traces`;
  expect((await post(url, "{")).status).toBe(400);
  expect((await post(url, "x", { "content-type": "application/x-protobuf" })).status).toBe(415);
  expect((await post(`${sink.url}/other`, "{}")).status).toBe(404);
  await post(url, JSON.stringify(traces));
  await expect(sink.waitFor((spans) => spans.length > 1, 50)).rejects.toThrow(
    /not within 50 ms: the spans; there are\nPRODUCER publish orders \[shop\] ERROR/,
  );
});
