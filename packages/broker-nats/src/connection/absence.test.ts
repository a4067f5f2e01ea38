import type { NatsConnection } from "@nats-io/nats-core";
import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { setMachine, systemMachine } from "../machine/machine.ts";
import { absenceOn } from "./absence.ts";

function setUp(version = "2.15.2") {
  const clock = new SimulatedClock();
  const nc = { info: { version, cluster: "c" } } as unknown as NatsConnection;
  setMachine(nc, { ...systemMachine, clock });
  return { clock, absence: absenceOn(nc), nc };
}

test("that there is no such stream counts once it has been said for a while", async () => {
  const { clock, absence, nc } = setUp();
  expect(absence.counts("a")).toBe(false);
  await clock.advance("1s");
  expect(absence.counts("a")).toBe(false);
  await clock.advance("1s");
  expect(absenceOn(nc).counts("a")).toBe(true);
});

test("that one stream is missing says nothing of another: a leader that stood still may say it next", async () => {
  const { clock, absence } = setUp();
  for (let second = 0; second < 60; second += 1) {
    absence.counts("a");
    await clock.advance("1s");
  }
  expect(absence.counts("b")).toBe(false);
  await clock.advance("2s");
  expect(absence.counts("b")).toBe(true);
  expect(absence.counts("a")).toBe(true);
});

test("what was said before an election that may have been held since does not count", async () => {
  const { clock, absence } = setUp();
  absence.counts("a");
  await clock.advance("2s");
  expect(absence.counts("a")).toBe(true);
  await clock.advance("4s");
  expect(absence.counts("a")).toBe(false);
});

test.each([
  ["2.15.2", true],
  ["2.10.29", false],
])(
  "who makes a stream on %s believes at once that it is missing: %s",
  async (version, believes) => {
    const { absence } = setUp(version);
    const said = await absence.making("a", async () => absence.counts("a"));
    expect(said).toBe(believes);
    await absence.making("b", async () => expect(absence.counts("a")).toBe(false));
    expect(absence.counts("a")).toBe(false);
  },
);

test("a stream is being made until the last has made it", async () => {
  const { absence } = setUp();
  const other = Promise.withResolvers<void>();
  const making = absence.making("a", () => other.promise);
  await absence.making("a", () => Promise.resolve());
  expect(absence.counts("a")).toBe(true);
  other.resolve();
  await making;
  expect(absence.counts("a")).toBe(false);
});
