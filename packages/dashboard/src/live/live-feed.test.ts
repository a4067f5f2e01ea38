import type { HistoryRecord } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import type { LiveView } from "../api/views/views.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { MOMENT_MS } from "../fleet/once-a-moment.ts";
import { LiveFeed } from "./live-feed.ts";

/** A feed with one page, and a history that goes on when it is told to. */
async function followed() {
  const clock = new SimulatedClock();
  let next = Promise.withResolvers<HistoryRecord | undefined>();
  const fleet: Pick<Fleet, "jobs" | "status" | "onStatus"> = {
    ...{ status: "connected", onStatus: () => () => {} },
    jobs: {
      async *watch({ signal }: { readonly signal: AbortSignal }) {
        signal.addEventListener("abort", () => next.resolve(undefined), { once: true });
        for (;;) {
          const record = await next.promise;
          if (record === undefined) return;
          yield record;
        }
      },
    } as unknown as Fleet["jobs"],
  };
  const feed = new LiveFeed(fleet, clock);
  onTestFinished(() => feed.close());
  const told: (LiveView & { readonly atMs: number })[] = [];
  const begunAt = clock.monotonic();
  const atMs = (): number => clock.monotonic() - begunAt;
  feed.listen({ tell: (news) => told.push({ ...news, atMs: atMs() }), end: () => {} });
  // A page that opens is told whether there is an outage.
  told.length = 0;
  const happens = async (id: string): Promise<void> => {
    const last = next;
    next = Promise.withResolvers();
    last.resolve({ id, queue: "mail", state: "succeeded", at: clock.now() } as HistoryRecord);
    await clock.advance(0);
  };
  return { clock, told, happens, atMs };
}

test("what happens after a quiet while is told within half a second", async () => {
  const { clock, told, happens } = await followed();
  await clock.advance("10s");
  await happens("a");
  await clock.advance("500ms");
  expect(told).toMatchObject([{ queues: ["mail"], jobs: [{ id: "a", queue: "mail" }] }]);
  await clock.advance("10s");
  await happens("b");
  await clock.advance("500ms");
  expect(told).toMatchObject([{}, { jobs: [{ id: "b", queue: "mail" }] }]);
});

test("in a burst pages are told no more often than an answer is kept, and of its end", async () => {
  const { clock, told, happens, atMs } = await followed();
  const ids = Array.from({ length: 101 }, (_, n) => `j${n}`);
  for (const id of ids) {
    await happens(id);
    await clock.advance("100ms");
  }
  const endedAt = atMs();
  await clock.advance("5s");
  const times = told.map((news) => news.atMs);
  const between = times.slice(1).map((at, n) => at - (times[n] ?? 0));
  expect(times[0]).toBe(500);
  // What a page asked when it was told has been answered, and that is forgotten by the next time.
  expect(Math.min(...between)).toBeGreaterThanOrEqual(MOMENT_MS + 100);
  expect(Math.max(...between)).toBeLessThanOrEqual(1_500);
  expect(times.at(-1)).toBeGreaterThan(endedAt - 100);
  expect(told.flatMap(({ jobs }) => jobs.map(({ id }) => id))).toEqual(ids);
});
