import { describe, expect, test } from "vitest";
import { latch } from "../fixtures/simulated-node.ts";
import { SimulatedFleet } from "../fixtures/simulated-fleet.ts";

describe("what was missed", () => {
  /** Nobody is there from 00:00:30 to 00:07:10. */
  async function afterAnOutage(missed: "skip" | "once" | { all: number }): Promise<SimulatedFleet> {
    const fleet = new SimulatedFleet();
    const a = await fleet.node("a", { schedules: [{ missed }] });
    await fleet.clock.advance("30s");
    a.broker.disconnect();
    await fleet.clock.advance("6m");
    await fleet.clock.advance("40s");
    const b = await fleet.node("b", { schedules: [{ missed }] });
    await fleet.clock.advance("1s");
    expect(b.said[0]).toBe("leading");
    return fleet;
  }

  test.each<["skip" | "once" | { all: number }, string[]]>([
    ["skip", []],
    ["once", ["00:07:00"]],
    [{ all: 3 }, ["00:05:00", "00:06:00", "00:07:00"]],
    [
      { all: 100 },
      ["00:01:00", "00:02:00", "00:03:00", "00:04:00", "00:05:00", "00:06:00", "00:07:00"],
    ],
  ])("%j", async (missed, ran) => {
    const fleet = await afterAnOutage(missed);
    expect(fleet.ran).toEqual(ran);
    expect(fleet.state()).toMatchObject({ fired: ran.length, skipped: 7 - ran.length });
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual([...ran, "00:08:00"]);
  });

  test("a tick that is late by less than lateAfter was not missed", async () => {
    const fleet = new SimulatedFleet();
    const schedules = [{ missed: "skip" as const, lateAfter: "30s" as const }];
    const a = await fleet.node("a", { schedules });
    const b = await fleet.node("b", { schedules });
    await fleet.clock.advance("58s");
    a.broker.disconnect();
    await fleet.clock.advance("20s");
    expect(b.said).toEqual(["leading", "fired 00:01:00"]);
  });

  test("a late one is told", async () => {
    const fleet = new SimulatedFleet();
    const { said, broker } = await fleet.node("a");
    await fleet.clock.advance("58s");
    broker.disconnect();
    await fleet.clock.advance("20s");
    broker.reconnect();
    await fleet.clock.advance("10s");
    const late = said.find((line) => line.startsWith("late 00:01:00"));
    expect(fleet.ran).toEqual(["00:01:00"]);
    const { late: lateSoFar, recent } = fleet.state();
    expect(lateSoFar).toBe(1);
    const { lateMs = 0 } = recent.at(-1) ?? {};
    expect(late).toBe(`late 00:01:00 ${lateMs / 1_000}s`);
    await fleet.clock.advance("1m");
    expect(fleet.state().recent.at(-1)).not.toHaveProperty("lateMs");
  });
});

describe("overlap: the previous job runs until it is let go", () => {
  async function busy(overlap: "allow" | "skip" | "queue" | "cancel") {
    const fleet = new SimulatedFleet();
    const hold = latch();
    let runs = 0;
    const a = await fleet.node("a", {
      schedules: [{ overlap }],
      handler: () => ((runs += 1) === 1 ? hold.promise : undefined),
    });
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["00:01:00"]);
    return { fleet, ...a, letGo: hold.open };
  }

  test("allow", async () => {
    const { fleet, letGo } = await busy("allow");
    await fleet.clock.advance("2m");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00", "00:03:00"]);
    letGo();
  });

  test("skip", async () => {
    const { fleet, letGo, said } = await busy("skip");
    await fleet.clock.advance("90s");
    letGo();
    await fleet.clock.advance("30s");
    expect(fleet.ran).toEqual(["00:01:00", "00:03:00"]);
    expect(said).toContain("skipped 00:02:00 overlap 1");
    expect(fleet.state()).toMatchObject({ fired: 2, skipped: 1 });
  });

  test("queue: the first that is due meanwhile runs at the end, later ones are left out", async () => {
    const { fleet, letGo, said } = await busy("queue");
    await fleet.clock.advance("150s");
    expect(fleet.ran).toEqual(["00:01:00"]);
    expect(said).toContain("skipped 00:03:00 queue-full 1");
    letGo();
    await fleet.clock.advance("1s");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00"]);
    await fleet.clock.advance("1m");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00", "00:04:00"]);
    expect(fleet.state().late).toBe(0);
  });

  test("queue: another leader keeps the queued tick", async () => {
    const { fleet, letGo, node } = await busy("queue");
    const b = await fleet.node("b", { schedules: [{ overlap: "queue" }] });
    await fleet.clock.advance("70s");
    letGo();
    const stopped = node.stop();
    await fleet.clock.advance("5s");
    await stopped;
    expect(b.said).toContain("leading");
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00"]);
  });

  test("cancel: the previous one is cancelled, and the new one runs", async () => {
    const { fleet, letGo } = await busy("cancel");
    await fleet.clock.advance("1m");
    const asked = fleet.server.bucket("cancellations").get("reports.cron:it:20300101T000100Z");
    // Where nodes heed cancellations they have removed it by now.
    if (asked !== undefined) expect(asked.value).toMatchObject({ reason: expect.any(String) });
    expect(fleet.ran).toEqual(["00:01:00", "00:02:00"]);
    letGo();
  });
});
