import { describe, expect, test } from "vitest";
import type { Events } from "./catalogue.ts";
import { EventBus } from "./event-bus.ts";

const STARTED: Events["job.started"] = {
  id: "job-1",
  name: "a",
  queue: "mail",
  attempt: 1,
  waitedMs: 5,
};

function busOf(): { readonly bus: EventBus; readonly errors: unknown[] } {
  const errors: unknown[] = [];
  return { bus: new EventBus((error) => errors.push(error)), errors };
}

describe("EventBus", () => {
  test("gives an event to every listener of its name, in the order they came, and to no other", () => {
    const { bus } = busOf();
    const seen: unknown[] = [];
    bus.on("job.started", (event) => seen.push(["first", event]));
    bus.on("job.started", (event) => seen.push(["second", event]));
    bus.on("lease.lost", (event) => seen.push(["lost", event]));
    bus.emit("job.started", STARTED);
    expect(seen).toEqual([
      ["first", STARTED],
      ["second", STARTED],
    ]);
  });

  test("a listener that throws is reported and disturbs nobody", () => {
    const { bus, errors } = busOf();
    const seen: unknown[] = [];
    const error = new Error("from a listener");
    bus.on("job.started", () => {
      throw error;
    });
    bus.on("job.started", (event) => seen.push(event));
    bus.emit("job.started", STARTED);
    expect([errors, seen]).toEqual([[error], [STARTED]]);
  });

  test("a listener that was removed hears nothing more, also while an event is given out", () => {
    const { bus } = busOf();
    const seen: string[] = [];
    const removeFirst = bus.on("job.started", () => {
      seen.push("first");
      removeFirst();
      removeSecond();
    });
    const removeSecond = bus.on("job.started", () => seen.push("second"));
    bus.emit("job.started", STARTED);
    bus.emit("job.started", STARTED);
    removeFirst();
    expect(seen).toEqual(["first"]);
  });

  test("knows whether anybody listens", () => {
    const { bus } = busOf();
    expect(bus.has("job.started")).toBe(false);
    const remove = bus.on("job.started", () => {});
    expect([bus.has("job.started"), bus.has("lease.lost")]).toEqual([true, false]);
    remove();
    expect(bus.has("job.started")).toBe(false);
    bus.emit("job.started", STARTED);
  });
});
