import { defineJob, type HistoryStore, MillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { createTestRuntime } from "../testing/test-runtime.ts";
import type { Millrace } from "./millrace.ts";
import type { EventsQuery } from "./events.ts";
import type { JobEvent } from "./follow-events.ts";

type Task = { readonly do: "succeed" | "die" };
const mail = defineJob<Task>({ name: "mail", queue: "mail", retry: "none" });
const report = defineJob<Task>({ name: "report", queue: "reports", retry: "none" });
const act = ({ input }: { readonly input: Task }): string => {
  if (input.do === "die") throw new Error("broken");
  return "done";
};

async function scene() {
  const t = await createTestRuntime({ jobs: [mail.handler(act), report.handler(act)] });
  return { t, client: t.client };
}

/** Reads as a loop does, and keeps what it has got. */
function reading(client: Millrace, query: EventsQuery) {
  const seen: JobEvent[] = [];
  const reader = client.events(query)[Symbol.asyncIterator]();
  let ended: unknown = "reads";
  const done = (async () => {
    for (;;) {
      const next = await reader.next();
      if (next.done === true) return;
      seen.push(next.value);
    }
  })().then(
    () => (ended = "ended"),
    (error: unknown) => (ended = MillraceError.is(error) ? error.code : error),
  );
  return {
    seen,
    done,
    ids: () => seen.map(({ id }) => id),
    ended: () => ended,
    stop: () => reader.return?.(),
  };
}

describe("events of jobs", () => {
  test("come live, from now on, in order, with their places", async () => {
    const { t, client } = await scene();
    await using _t = t;
    await t.enqueue(mail, { do: "succeed" }, { id: "before" });
    await t.drain();
    const reader = reading(client, {});
    await t.clock.advance("1s");
    await t.enqueue(mail, { do: "die" }, { id: "a" });
    await t.enqueue(report, { do: "succeed" }, { id: "b" });
    await t.drain();
    await t.clock.advance("1s");
    expect(reader.seen.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual([
      "a dead",
      "b succeeded",
    ]);
    const places = reader.seen.map(({ position }) => position);
    expect(places[0]).toBeLessThan(places[1] ?? 0);
    await reader.stop();
    await reader.done;
    expect(reader.ended()).toBe("ended");
  });

  test("are read on behind the last that was handled, of a queue, a name, a state", async () => {
    const { t, client } = await scene();
    await using _t = t;
    for (const [job, act, id] of [
      [mail, "succeed", "m1"],
      [mail, "die", "m2"],
      [report, "succeed", "r1"],
      [mail, "succeed", "m3"],
    ] as const) {
      await t.enqueue(job, { do: act }, { id });
      await t.drain();
    }
    const readers = [
      {},
      { queue: "mail" },
      { name: "report" },
      { state: "dead" },
      { state: ["succeeded", "dead"], queue: "mail" },
      { state: "requeued" },
    ].map((query) => reading(client, { after: 0, ...query } as EventsQuery));
    await t.clock.advance("1s");
    expect(readers.map((one) => one.ids())).toEqual([
      ["m1", "m2", "r1", "m3"],
      ["m1", "m2", "m3"],
      ["r1"],
      ["m2"],
      ["m1", "m2", "m3"],
      [],
    ]);
    const after = readers[0]?.seen[1]?.position ?? 0;
    const resumed = reading(client, { after });
    await t.clock.advance("1s");
    expect(resumed.ids()).toEqual(["r1", "m3"]);
    for (const one of [...readers, resumed]) await one.stop();
  });

  test("a position of which the history knows nothing is an error, never a gap in silence", async () => {
    const { t, client } = await scene();
    await using _t = t;
    await t.enqueue(mail, { do: "succeed" });
    await t.drain();
    const other = reading(client, { after: 1_000 });
    const history = t.broker.history as { stretch: HistoryStore["stretch"] };
    const honest = history.stretch.bind(history);
    await t.clock.advance("1s");
    expect(other.ended()).toBe("events-missed");
    const trimmedTo = { oldest: 900, newest: 1_000, until: 1_000 };
    history.stretch = async (query) => ({ ...(await honest(query)), ...trimmedTo });
    const trimmed = reading(client, { after: 500 });
    await t.clock.advance("1s");
    expect(trimmed.ended()).toBe("events-missed");
    const fromTheOldest = reading(client, { after: 0 });
    await t.clock.advance("1s");
    expect(fromTheOldest.ended()).toBe("reads");
    await fromTheOldest.stop();
  });

  test("the reading ends at its signal, at the loop's end and with the client", async () => {
    const { t, client } = await scene();
    await using _t = t;
    const stop = new AbortController();
    const bySignal = reading(client, { signal: stop.signal });
    const byLimits = reading(client.with({ signal: stop.signal }), {});
    const byReturn = reading(client, {});
    const byClose = reading(client, {});
    await t.clock.advance("1s");
    stop.abort();
    await Promise.all([bySignal.done, byLimits.done]);
    await byReturn.stop();
    await byReturn.done;
    await client.close();
    await byClose.done;
    for (const one of [bySignal, byLimits, byReturn, byClose]) expect(one.ended()).toBe("ended");
  });

  test("what can't be read for a moment is read later", async () => {
    const { t, client } = await scene();
    await using _t = t;
    const history = t.broker.history as { stretch: HistoryStore["stretch"] };
    const honest = history.stretch.bind(history);
    let failures = 0;
    history.stretch = async (query) => {
      if ((failures += 1) <= 3) throw new MillraceError("request-timeout", "no answer");
      return honest(query);
    };
    const reader = reading(client, { after: 0 });
    await t.enqueue(mail, { do: "succeed" }, { id: "a" });
    await t.drain();
    await t.clock.advance("1m");
    expect(reader.ids()).toEqual(["a"]);
    await reader.stop();
  });

  test("wrong options are named", async () => {
    const { t, client } = await scene();
    await using _t = t;
    for (const [query, field] of [
      [{ after: -1 }, "after"],
      [{ after: 1.5 }, "after"],
      [{ state: "done" }, "state"],
      [{ state: [] }, "state"],
    ] as const)
      expect(() => client.events(query as EventsQuery)).toThrow(new RegExp(`^${field}: must be`));
    expect(() => client.events({ queue: "no spaces" })).toThrow(/queue name/);
  });
});
