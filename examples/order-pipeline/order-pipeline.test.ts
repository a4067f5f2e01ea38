import { describe, expect, test } from "vitest";
import { patient } from "../../test/harness/cluster/mode.ts";
import { eventually } from "../../test/harness/deadline.ts";
import { launchJaeger } from "../../test/harness/jaeger/launch.ts";
import { obtainJaeger } from "../../test/harness/jaeger/obtain.ts";
import { startOtlpSink } from "../../test/harness/otlp-sink.ts";
import { outline, type RecordedSpan } from "../../test/harness/recorded-span.ts";
import { describeEachServer, describeServer } from "../../test/harness/servers.ts";
import { checkTraces } from "../../test/harness/trace-shape.ts";
import { DEADLINE_MS, expectResults, startShop, stopShop } from "./shop.fixture.ts";
import {
  attemptsIn,
  expectDead,
  expectPaidAndShipped,
  expectTick,
  traceOfJob,
} from "./traces-of-orders.ts";

const shipped = (spans: readonly RecordedSpan[], order: string): boolean =>
  spans.some(({ kind, attributes: a }) => kind === "CONSUMER" && a["job.id"] === `ship-${order}`);
const ticked = (spans: readonly RecordedSpan[]): RecordedSpan | undefined =>
  attemptsIn(spans).find(({ attributes }) => attributes["job.schedule"] === "stock");

describeEachServer("an order's way, in an OTLP sink", (server) => {
  test(
    "one connected trace an order, over the application and both nodes; a red attempt, a child, a dead letter, a tick",
    async () => {
      const sink = await startOtlpSink();
      const shop = await startShop(server, sink.env);
      const [book, lamp, ring] = shop.orders;
      await expectResults(server, shop);
      await sink.waitFor(
        (spans) => [book, lamp].every((one) => shipped(spans, one)) && ticked(spans) !== undefined,
        DEADLINE_MS,
      );
      await stopShop(shop);

      const spans = sink.spans();
      expect(checkTraces(spans), outline(spans)).toEqual([]);
      expectPaidAndShipped(traceOfJob(spans, `charge-${book}`), book);
      expectPaidAndShipped(traceOfJob(spans, `charge-${lamp}`), lamp);
      expectDead(traceOfJob(spans, `charge-${ring}`), ring);
      expectTick(traceOfJob(spans, String(ticked(spans)?.attributes["job.id"])));
    },
    patient(2 * DEADLINE_MS),
  );
});

const jaeger = await obtainJaeger();
const title = jaeger.state === "present" ? jaeger.source : `missing: ${jaeger.reason}`;

describe.skipIf(jaeger.state === "missing")(`an order's way, in Jaeger (${title})`, () => {
  describeServer("orders", "newest", (server) => {
    test(
      "each is found by its job's id, as one trace; and who calls whom is drawn",
      async () => {
        const { otlpUrl, query } = await launchJaeger(
          jaeger.state === "present" ? jaeger.path : "",
        );
        const shop = await startShop(server, {
          OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl,
          OTEL_BSP_SCHEDULE_DELAY: "100",
        });
        const [book, lamp, ring] = shop.orders;
        await expectResults(server, shop);
        await eventually(
          async () => ticked(await query.find("warehouse", { "job.schedule": "stock" })),
          { withinMs: DEADLINE_MS, describe: "a tick in Jaeger" },
        );
        await stopShop(shop);

        /** What was flushed last has still to go through Jaeger's own batches. */
        const found = (service: string, tags: Record<string, string>, names: readonly string[]) =>
          eventually(
            async () => {
              const spans = await query.find(service, tags);
              const isWhole = names.every((name) => spans.some((span) => span.name === name));
              return isWhole ? spans : undefined;
            },
            {
              withinMs: 20_000,
              describe: `a trace of ${JSON.stringify(tags)} with ${names.join()}`,
            },
          );
        for (const order of [book, lamp]) {
          const tags = { "job.id": `ship-${order}` };
          const trace = await found("warehouse", tags, ["POST /orders", "process order.ship"]);
          expectPaidAndShipped(trace, order);
          expect(await query.trace(trace[0]?.traceId ?? "")).toHaveLength(trace.length);
        }
        // Not by `error=true`: the in-memory store of Jaeger v2.13 takes the word for a text and
        // finds nothing.
        const dead = { "job.id": `charge-${ring}`, "job.outcome": "failed" };
        const names = ["POST /orders", "process order.charge"];
        expectDead(await found("payments", dead, names), ring);
        const ticks = await found("warehouse", { "job.schedule": "stock" }, [
          "process stock.count",
        ]);
        const tick = String(ticked(ticks)?.attributes["job.id"]);
        expectTick(traceOfJob(ticks, tick));

        expect(await query.services()).toEqual(
          expect.arrayContaining(["shop", "payments", "warehouse"]),
        );
        const arrows = (await query.dependencies()).map(
          ({ parent, child }) => `${parent} → ${child}`,
        );
        expect(arrows).toEqual(expect.arrayContaining(["shop → payments", "payments → warehouse"]));
        expect(arrows).not.toContain("payments → shop");
      },
      patient(2 * DEADLINE_MS),
    );
  });
});
