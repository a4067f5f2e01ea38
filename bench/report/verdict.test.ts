import { describe, expect, test } from "vitest";
import type { Contender, Scenario } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import { chart } from "./chart.ts";
import { render } from "./render.ts";
import { judge, type Verdict } from "./verdict.ts";

const contender = (name: string, more: Partial<Contender> = {}): Contender => ({
  name,
  run: () => Promise.reject(new Error("is not run")),
  ...more,
});
const rate = (perSecond: number, cpuUsEach = 1, heapBytesEach = 100): Figure => ({
  kind: "rate",
  perSecond,
  cpuUsEach,
  heapBytesEach,
});
const latency = (p50Ms: number, p99Ms: number, more: { beyond?: string } = {}): Figure => ({
  kind: "latency",
  p50Ms,
  p99Ms,
  maxMs: p99Ms,
  ...more,
});
const scenario: Scenario = {
  name: "race",
  question: "Who is <first> & fast?",
  amount: { full: 10, smoke: 1 },
  limit: contender("bare"),
  subject: contender("Millrace"),
  peers: [
    contender("A", { server: "redis", share: 0.5 }),
    contender("B", { server: "redis-memory", durability: "memory" }),
    contender("C", { server: "postgres" }),
  ],
  unable: { D: "has no such thing" },
  goal: 0.5,
  peerGoal: 2,
  guard: { jobs: 100, mostHeapBytes: 110, mostTimes: 3 },
};
const judged = (...rounds: Record<string, Figure>[]): Verdict =>
  judge(scenario, {
    durability: "page-cache",
    amount: 10,
    smoke: false,
    rounds: rounds.map((round) => new Map(Object.entries(round))),
  });
const of = (verdict: Verdict, name: string) =>
  verdict.results.find((result) => result.contender === name);

describe("judge", () => {
  test("takes shares round by round, so that a machine that slows down changes none", () => {
    const verdict = judged(
      { bare: rate(100), Millrace: rate(80) },
      { bare: rate(50), Millrace: rate(40) },
    );
    expect(of(verdict, "Millrace")).toMatchObject({ ofLimit: 0.8, spread: [0.8, 0.8] });
    expect(verdict).toMatchObject({ reached: true });
    expect(verdict.bestPeer).toBeUndefined();
  });

  test("holds Millrace against the best peer that confirms as much as it does", () => {
    const round = { bare: rate(100), Millrace: rate(80), A: rate(30), B: rate(90), C: rate(20) };
    expect(judged(round)).toMatchObject({
      bestPeer: { peer: "A", times: 80 / 30, goal: 2 },
      reached: true,
    });
    expect(judged({ ...round, C: rate(50) })).toMatchObject({
      bestPeer: { peer: "C" },
      reached: false,
    });
    expect(of(judged(round), "A")).toMatchObject({ amount: 5 });
    expect(of(judged(round), "B")).toMatchObject({ durability: "memory" });
  });

  test("asks of a latency to be better at each percentile", () => {
    const round = { bare: latency(1, 2), A: latency(6, 9) };
    expect(judged({ ...round, Millrace: latency(1, 3) })).toMatchObject({
      bestPeer: { times: 3 },
      reached: true,
    });
    expect(judged({ ...round, Millrace: latency(1, 6) })).toMatchObject({
      bestPeer: { times: 1.5 },
      reached: false,
    });
  });

  test("gives what never came no share", () => {
    const verdict = judged({
      bare: latency(30, 30),
      Millrace: latency(31, 31),
      A: latency(5, 5, { beyond: "an hour" }),
      C: latency(70, 70),
    });
    expect(of(verdict, "A")).toMatchObject({ ofLimit: 0 });
    expect(verdict.bestPeer).toMatchObject({ peer: "C" });
  });

  test.each([
    ["as much as it may", 10, 110, { held: true, times: 2.5, heapBytes: 110 }],
    ["too much heap", 10, 111, { held: false, times: 2.5, heapBytes: 111 }],
    ["too much processor time", 14, 90, { held: false, times: 3.5, heapBytes: 90 }],
  ])("guards by the cheapest round of each: %s", (_what, cpuUs, heapBytes, verdict) => {
    const rounds = [
      new Map([
        ["bare", rate(1, 5)],
        ["Millrace", rate(1, cpuUs, 200)],
      ]),
      new Map([
        ["bare", rate(1, 4)],
        ["Millrace", rate(1, 40, heapBytes)],
      ]),
    ];
    const smoke = { durability: "page-cache", amount: 10, smoke: true } as const;
    expect(judge(scenario, { ...smoke, rounds }).guard).toEqual({
      ...verdict,
      mostTimes: 3,
      mostHeapBytes: 110,
    });
  });
});

test("the table and the chart name every contender, and the chart escapes what it shows", () => {
  const verdict = judged({
    bare: rate(100),
    Millrace: rate(80),
    A: rate(30),
    B: rate(90),
    C: rate(20),
  });
  const table = render([verdict]);
  expect(table).toMatch(/Millrace +\| page-cache +\| 80\/s.*2\.7 × A/);
  expect(table).toMatch(/D +\| +\| has no such thing +\| none/);
  const drawn = chart([verdict, judged({ bare: latency(1, 2), Millrace: latency(1, 2) })]);
  expect(drawn).toContain("Who is &#60;first&#62; &#38; fast?");
  expect(drawn.match(/<rect class="bar-(limit|subject|peer)"/g)).toHaveLength(7);
  expect(drawn).toContain("B *");
});
