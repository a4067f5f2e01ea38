import { describe, expect, test } from "vitest";
import { eventually } from "../deadline.ts";
import { launchJaeger } from "./launch.ts";
import { obtainJaeger } from "./obtain.ts";

const jaeger = await obtainJaeger();
const title = jaeger.state === "present" ? `(${jaeger.source})` : `is missing: ${jaeger.reason}`;

describe.skipIf(jaeger.state === "missing")(`Jaeger ${title}`, () => {
  test("what is sent is found again, whole: parent, link, kind, colour and resource", async () => {
    const { otlpUrl, query } = await launchJaeger(jaeger.state === "present" ? jaeger.path : "");
    const [traceId, parent, child] = ["a".repeat(32), "1".repeat(16), "2".repeat(16)];
    const atNanos = BigInt(Date.now()) * 1_000_000n;
    const times = {
      startTimeUnixNano: String(atNanos),
      endTimeUnixNano: String(atNanos + 5_000_000n),
    };
    const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    const span = { traceId, ...times };
    await fetch(`${otlpUrl}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: [text("service.name", "shop"), text("host.name", "here")] },
            scopeSpans: [
              { spans: [{ ...span, spanId: parent, name: "publish orders", kind: 4 }] },
              {
                scope: { name: "millrace" },
                spans: [
                  {
                    ...span,
                    spanId: child,
                    parentSpanId: parent,
                    name: "process charge",
                    kind: 5,
                    attributes: [text("job.id", "job-1")],
                    events: [{ ...times, timeUnixNano: times.endTimeUnixNano, name: "exception" }],
                    links: [{ traceId: "b".repeat(32), spanId: "3".repeat(16) }],
                    status: { code: 2, message: "no" },
                  },
                ],
              },
            ],
          },
        ],
      }),
    });
    const spans = await eventually(
      async () => {
        const found = await query.find("shop", { "job.id": "job-1" });
        return found.length === 2 ? found : undefined;
      },
      { withinMs: 20_000, describe: "both spans, found by the job's id" },
    );
    expect(spans.find(({ spanId }) => spanId === child)).toMatchObject({
      traceId,
      parentSpanId: parent,
      name: "process charge",
      kind: "CONSUMER",
      startedAtMs: Number(atNanos / 1_000_000n),
      status: "ERROR",
      statusMessage: "no",
      attributes: { "job.id": "job-1" },
      events: [{ name: "exception" }],
      links: [{ traceId: "b".repeat(32), spanId: "3".repeat(16) }],
      resource: { "service.name": "shop", "host.name": "here" },
      scope: "millrace",
    });
    expect(spans.find(({ spanId }) => spanId === parent)).toMatchObject({
      parentSpanId: undefined,
      kind: "PRODUCER",
      status: "UNSET",
    });
    expect(await query.services()).toEqual(["shop"]);
    expect(await query.trace(traceId)).toHaveLength(2);
    expect(await query.dependencies()).toEqual([{ parent: "shop", child: "shop", callCount: 1 }]);
  });
});
