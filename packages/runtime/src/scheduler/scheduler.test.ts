import {
  type MetricsCollector,
  MillraceError,
  paused,
  resumed,
  SCHEDULES,
  SCHEDULES_SEEN,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import { frozenPublishes } from "../fixtures/frozen-publishes.ts";
import { stopInTime } from "../fixtures/simulated-node.ts";
import { SimulatedFleet, timeOf } from "../fixtures/simulated-fleet.ts";

const MINUTES_10 = 600_000;

describe("one node", () => {
  test("enqueues the job of each tick at its time, under the tick's id", async () => {
    const fleet = new SimulatedFleet();
    const { said, broker } = await fleet.node("a");
    await fleet.clock.advance("59s");
    expect(fleet.ran).toEqual([]);
    await fleet.clock.advance("1s");
    expect(fleet.ran).toEqual(["00:01:00"]);
    await fleet.clock.advance("2m");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00", "00:03:00"]);
    expect(said).toEqual(["leading", "fired 00:01:00", "fired 00:02:00", "fired 00:03:00"]);
    const [record] = await broker.history.read({ id: "cron:it:20300101T000100Z" });
    expect(record).toMatchObject({ name: "report", state: "succeeded" });
    expect(fleet.state()).toMatchObject({ fired: 3, skipped: 0, late: 0 });
    expect(fleet.state().intent).toBeUndefined();
  });

  test("with nothing scheduled asks for no lock", async () => {
    const fleet = new SimulatedFleet();
    const { said, broker } = await fleet.node("a", { schedules: [] });
    expect(await broker.locks.look("leader/scheduler")).toBeUndefined();
    expect(said).toEqual([]);
    fleet.server.bucket(SCHEDULES).put(
      "later",
      {
        cron: "* * * * *",
        timezone: "UTC",
        job: "report",
        queue: "reports",
        since: 0,
        origin: "client",
      },
      0,
    );
    await fleet.clock.advance("1m");
    expect(said).toContain("leading");
    expect(fleet.ran).toContain("00:01:00");
  });

  test("a stored schedule that can't be used stops no other", async () => {
    const fleet = new SimulatedFleet();
    fleet.server.bucket(SCHEDULES).put("broken", { cron: "every day" }, 0);
    await fleet.node("a");
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["00:01:00"]);
  });

  test("jitter delays the start, the same however often it is computed", async () => {
    const fleet = new SimulatedFleet();
    const { said } = await fleet.node("a", { schedules: [{ jitter: "50s", cron: "*/5 * * * *" }] });
    await fleet.clock.advance("5m");
    expect(said).toContain("fired 00:05:00");
    expect(fleet.ran).toEqual([]);
    await fleet.clock.advance("50s");
    expect(fleet.ran).toEqual(["00:05:00"]);
  });

  test("a queue that refuses is tried again, and the trouble is on record until it is over", async () => {
    const fleet = new SimulatedFleet();
    const { broker, said } = await fleet.node("a");
    broker.failNext("enqueue", new MillraceError("queue-full", "The queue is full."));
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual([]);
    expect(fleet.state()).toMatchObject({ intent: {}, trouble: { code: "queue-full" } });
    await fleet.clock.advance("2s");
    expect(fleet.ran).toEqual(["00:01:00"]);
    expect(fleet.state().trouble).toBeUndefined();
    expect(said).toEqual(["leading", "failed queue-full", "fired 00:01:00"]);
  });
});

describe("several nodes", () => {
  test("one leads; when it is gone another goes on within the lease, and no tick is doubled or lost", async () => {
    const fleet = new SimulatedFleet();
    const schedules = [{ cron: "* * * * * *", missed: { all: 100 } }];
    const [a, b] = [await fleet.node("a", { schedules }), await fleet.node("b", { schedules })];
    await fleet.clock.advance("20s");
    expect([a.said[0], b.said]).toEqual(["leading", []]);
    a.broker.disconnect();
    await fleet.clock.advance("40.5s");
    expect(b.said[0]).toBe("leading");
    expect(fleet.ran).toEqual(seconds(1, 60));
    expect(fleet.state().fired).toBe(60);
  });

  test("each says whether it leads, those that only wait too: a rule that sums them up must not be empty", async () => {
    const fleet = new SimulatedFleet();
    const told: Record<string, number | undefined> = {};
    const metricsOf = (node: string): MetricsCollector => ({
      increment: () => {},
      observe: () => {},
      gauge: (name, labels, value) => {
        if (name === "millrace_leader" && "role" in labels && labels.role === "scheduler")
          told[node] = value;
      },
    });
    await fleet.node("a", { metrics: metricsOf("a") });
    await fleet.node("b", { metrics: metricsOf("b") });
    await fleet.node("c", { metrics: metricsOf("c"), schedules: [] });
    await fleet.clock.advance("20s");
    expect(told).toEqual({ a: 1, b: 0, c: 0 });
  });

  test("a leader that stops hands over at once", async () => {
    const fleet = new SimulatedFleet();
    const [a, b] = [await fleet.node("a"), await fleet.node("b")];
    const stopped = a.node.stop();
    await fleet.clock.advance("1s");
    await stopped;
    expect(a.said).toEqual(["leading", "resigned"]);
    expect(b.said).toEqual(["leading"]);
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["00:01:00"]);
  });

  test("two that both believe to lead enqueue each tick once", async () => {
    const fleet = new SimulatedFleet();
    const schedules = [{ cron: "* * * * * *", missed: { all: 100 } }];
    const [a, b] = [await fleet.node("a", { schedules }), await fleet.node("b", { schedules })];
    await fleet.clock.advance("5s");
    for (let round = 0; round < 5; round += 1) {
      // As if the server had lost the lock: the one who holds it does not know yet.
      fleet.server.locks.free("leader/scheduler");
      const c = await fleet.node(`c${round}`, { schedules });
      await fleet.clock.advance("7s");
      expect([a, b, c].filter(({ said }) => said.includes("leading")).length).toBeGreaterThan(0);
    }
    expect(fleet.ran).toEqual(seconds(1, 40));
  });

  test("the code of many nodes is stored once, and a change keeps what was done", async () => {
    const fleet = new SimulatedFleet();
    await fleet.node("a");
    await fleet.clock.advance("90s");
    const bucket = fleet.server.bucket(SCHEDULES);
    const first = bucket.get("it");
    await fleet.node("b");
    expect(bucket.get("it")).toEqual(first);
    await fleet.node("c", { schedules: [{ overlap: "skip" }] });
    expect(bucket.get("it")?.value).toMatchObject({ overlap: "skip", since: Date.UTC(2030, 0) });
    await fleet.clock.advance("30s");
    await fleet.node("d", { schedules: [{ cron: "*/5 * * * *" }] });
    await fleet.clock.advance("4m");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00", "00:05:00"]);
  });
});

test("stopped at any moment of its life, a node leaves no timer and no lock behind", async () => {
  for (let ms = 0; ms < 120; ms += 3) {
    const fleet = new SimulatedFleet();
    const schedules = [{ cron: "* * * * * *" }, { cron: "* * * * * *", name: "other" }];
    const { node, broker } = await fleet.node("a", { schedules, start: false });
    const started = node.start().catch(() => {});
    // Some way into its start by turns of the event loop, then into its ticks by time.
    for (let turn = 0; turn < ms / 3; turn += 1) await Promise.resolve();
    if (ms > 60) await fleet.clock.advance((ms - 60) * 50);
    const stopped = node.stop();
    // Less than a lease, after which the lock would be free in any case.
    await fleet.clock.advance("3s");
    await Promise.all([started, stopped]);
    expect([ms, fleet.clock.pending]).toEqual([ms, 0]);
    expect([ms, await broker.locks.look("leader/scheduler")]).toEqual([ms, undefined]);
  }
});

describe("pause", () => {
  test("lasts over leaders, and what was due meanwhile is not made up for", async () => {
    const fleet = new SimulatedFleet();
    const schedules = [{ missed: { all: 50 } }];
    const a = await fleet.node("a", { schedules });
    await fleet.node("b", { schedules });
    await fleet.clock.advance("90s");
    fleet.writeState((state) => paused(state, fleet.clock.now()));
    a.broker.disconnect();
    await fleet.clock.advance("3m");
    expect(fleet.ran).toEqual(["00:01:00"]);
    fleet.writeState((state) => resumed(state, fleet.clock.now()));
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["00:01:00", "00:05:00"]);
  });
});

describe("clocks", () => {
  test("ten minutes ahead and ten behind: each tick runs once, whoever leads", async () => {
    const fleet = new SimulatedFleet();
    const schedules = [{ missed: { all: 100 } }];
    const behind = await fleet.node("behind", { schedules, offsetMs: -MINUTES_10 });
    const right = await fleet.node("right", { schedules });
    await fleet.clock.advance("15m");
    behind.broker.disconnect();
    await fleet.clock.advance("15m");
    expect(right.said).toContain("leading");
    const ahead = await fleet.node("ahead", { schedules, offsetMs: MINUTES_10 });
    right.broker.disconnect();
    await fleet.clock.advance("15.5m");
    expect(ahead.said).toContain("leading");
    expect(new Set(fleet.ran).size).toBe(fleet.ran.length);
    // From its first start at 23:50 by the clock that was behind, to 00:55 by the one that is
    // ahead.
    expect(fleet.ran).toHaveLength(10 + 55);
    expect(fleet.ran.at(-1)).toBe("00:55:00");
  });

  test("the server's stepped back, no tick comes again; stepped forward, it is noticed within a minute and the policy holds", async () => {
    const fleet = new SimulatedFleet();
    const { clock } = await fleet.node("a");
    await fleet.clock.advance("3m");
    clock.jump(-150_000);
    await fleet.clock.advance("150s");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00", "00:03:00"]);
    await fleet.clock.advance("1m");
    expect(fleet.ran.at(-1)).toBe("00:04:00");
    clock.jump(4 * 60_000 + 30_000);
    await fleet.clock.advance("1m");
    // 5, 6, 7 and 8 were stepped over, and 9 came meanwhile: the latest runs.
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00", "00:03:00", "00:04:00", "00:09:00"]);
  });

  test("machines that are off, or set while their node leads: ticks run by the server's clock", async () => {
    const fleet = new SimulatedFleet();
    const schedules = [{ missed: { all: 100 } }];
    const machine = { schedules, serverIsOff: false };
    const behind = await fleet.node("behind", { ...machine, offsetMs: -MINUTES_10 });
    const ahead = await fleet.node("ahead", { ...machine, offsetMs: MINUTES_10 });
    await fleet.clock.advance("3m");
    behind.clock.jump(2 * MINUTES_10);
    await fleet.clock.advance("3m");
    behind.broker.disconnect();
    await fleet.clock.advance("3m");
    expect(ahead.said).toContain("leading");
    ahead.clock.jump(-3 * MINUTES_10);
    await fleet.clock.advance("3m");
    const minutes = Array.from({ length: 12 }, (_, index) =>
      timeOf(Date.UTC(2030, 0, 1, 0, index + 1)),
    );
    expect(fleet.ran).toEqual(minutes);
  });

  test("a time that a night leaves out runs at the change of the clocks, one that comes twice runs once", async () => {
    const spring = new SimulatedFleet(Date.UTC(2030, 2, 31, 0, 30));
    const schedules = [{ cron: "30 2 * * *", timezone: "Europe/Berlin" }];
    await spring.node("a", { schedules });
    await spring.clock.advance("2h");
    expect(spring.ran).toEqual(["01:00:00"]);

    const autumn = new SimulatedFleet(Date.UTC(2030, 9, 27));
    await autumn.node("a", { schedules });
    await autumn.clock.advance("3h");
    expect(autumn.ran).toEqual(["00:30:00"]);
  });
});

describe("a leader that is frozen between its last look and the publish", () => {
  test.each(["30s", "1h"] as const)(
    "its publish %s later does not make the tick run twice",
    async (freeze) => {
      const fleet = new SimulatedFleet();
      const ice = frozenPublishes();
      const schedules = [{ cron: "0 * * * *", missed: { all: 10 } }];
      await fleet.node("a", { schedules, decorate: ice.decorate });
      const b = await fleet.node("b", { schedules });
      await fleet.clock.advance("59m");
      ice.freeze();
      await fleet.clock.advance("1m");
      expect(fleet.ran).toEqual([]);
      fleet.server.locks.free("leader/scheduler");
      await fleet.clock.advance("20s");
      expect(b.said).toContain("leading");
      expect(fleet.ran).toEqual(["01:00:00"]);
      await fleet.clock.advance(freeze);
      const before = [...fleet.ran];
      ice.thaw();
      await fleet.clock.advance("1m");
      expect(fleet.ran).toEqual(before);
      expect(fleet.ran.filter((tick) => tick === "01:00:00")).toHaveLength(1);
    },
  );
});

function seconds(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index).map((second) =>
    new Date(second * 1_000).toISOString().slice(11, 19),
  );
}

describe("that a node has schedules", () => {
  test("is noted in the end, though the broker could not be asked at first", async () => {
    const fleet = new SimulatedFleet();
    let failures = 0;
    await fleet.node("a", {
      decorate: (broker) => {
        const open = broker.documents.bind(broker);
        broker.documents = async (bucket) => {
          if (bucket === SCHEDULES_SEEN && (failures += 1) <= 3)
            throw new MillraceError("publish-timeout", "no answer");
          return open(bucket);
        };
        return broker;
      },
    });
    expect(fleet.server.bucket(SCHEDULES_SEEN).list()).toEqual([]);
    await fleet.clock.advance("10s");
    expect(fleet.server.bucket(SCHEDULES_SEEN).get("it")?.value).toMatchObject({ node: "a" });
    expect(failures).toBe(4);
  });

  test("is not noted by a node that has stopped", async () => {
    const fleet = new SimulatedFleet();
    let asked = 0;
    const { node } = await fleet.node("a", {
      decorate: (broker) => {
        const open = broker.documents.bind(broker);
        broker.documents = async (bucket) => {
          if (bucket !== SCHEDULES_SEEN) return open(bucket);
          asked += 1;
          throw new MillraceError("publish-timeout", "no answer");
        };
        return broker;
      },
    });
    await stopInTime(node, fleet.clock);
    const before = asked;
    await fleet.clock.advance("10m");
    expect(asked).toBe(before);
  });
});
