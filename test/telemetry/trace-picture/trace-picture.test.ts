import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { outline } from "../../harness/recorded-span.ts";
import { checkTraces } from "../../harness/trace-shape.ts";
import { drawTrace } from "./draw-trace.ts";
import { recordTrace } from "./record-trace.ts";

const DOCS = resolve(import.meta.dirname, "../../../docs");

// The file was drawn by another process, so this is also what says that each run draws the same.
test("docs/trace.svg is what an order's spans draw, and they are one sound trace", async () => {
  const recorded = await recordTrace();
  const { spans } = recorded;
  expect(checkTraces(spans), outline(spans)).toEqual([]);
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const named = (name: string) => spans.filter((span) => span.name === name);
  const [first] = named("process order.charge");
  const [second] = named("process order.charge (attempt 2)");
  expect([first?.status, second?.status]).toEqual(["ERROR", "UNSET"]);
  expect(second?.links.map(({ spanId }) => spanId)).toEqual([first?.spanId]);
  expect(named("publish mail")[0]?.parentSpanId).toBe(second?.spanId);
  const drawn = drawTrace(recorded);
  expect(readFileSync(resolve(DOCS, "trace.svg"), "utf8")).toBe(drawn);
  for (const { name } of spans) expect(drawn).toContain(`>${name}</text>`);
});

test("the pages that show the picture say what is on it", () => {
  for (const page of ["tracing.md", "../README.md"])
    expect(readFileSync(resolve(DOCS, page), "utf8")).toMatch(
      /!\[[^\]]{40,}\]\((docs\/)?trace\.svg\)/,
    );
});
