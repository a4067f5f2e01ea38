import { createDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test } from "vitest";
import { ADA, charge, ORIGIN, scene } from "./scene.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

test.each(["https://traces.example", "javascript:alert('{traceId}')", "{traceId}", ""])(
  "an address of traces that leads nowhere is refused: %j",
  async (traceUrl) => {
    const { t } = await scene();
    expect(() => createDashboard({ millrace: t.client, authorize: () => ADA, traceUrl })).toThrow(
      expect.objectContaining({ code: "invalid-option" }) as Error,
    );
  },
);

test("a page is told the address of traces, and the trace of a job before and after its end", async () => {
  const { t, get } = await scene();
  const traceUrl = "http://jaeger:16686/trace/{traceId}";
  const dashboard = createDashboard({
    ...{ millrace: t.client, clock: t.clock, authorize: () => ADA, traceUrl },
  });
  onTestFinished(() => dashboard.close());
  const session = await dashboard(new Request(`${ORIGIN}/api/session`));
  expect(await session.json()).toMatchObject({ traceUrl });
  expect(await get("session")).not.toHaveProperty("traceUrl");
  const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
  await t.enqueue(charge, { n: 0 }, { id: "c-0", delay: "2h", headers });
  expect(await get("jobs/billing/c-0")).toMatchObject({ state: "delayed", traceId: TRACE });
  await t.enqueue(charge, { n: 1 }, { id: "c-1", headers });
  await t.drain();
  expect(await get("jobs/billing/c-1")).toMatchObject({ state: "dead", traceId: TRACE });
  await t.enqueue(charge, { n: 2 }, { id: "c-2" });
  expect(await get("jobs/billing/c-2")).not.toHaveProperty("traceId");
});
