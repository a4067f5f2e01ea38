import type { Msg } from "@nats-io/nats-core";
import { SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { leadersWord } from "./leaders-word.ts";

const STREAM = "$JS.API.STREAM.INFO.a";
const CONSUMER = "$JS.API.CONSUMER.INFO.a.b";
const config = { name: "a", description: 'says ,"cluster":{"leader":"n1"}', metadata: {} };
const state = { messages: 1, subjects: { 'x,"cluster":{': 1 } };

const copied = { ...config, num_replicas: 3 };

function reply(body: object): Msg {
  return { data: Buffer.from(JSON.stringify(body)) } as unknown as Msg;
}

function described(cluster: object | undefined, more: object = {}): Msg {
  const members = cluster === undefined ? {} : { cluster };
  return reply({ total: 1, config, created: "", state, ...more, ...members, ts: "" });
}

const others = [{ name: "n2" }, { name: "n3" }];

test.each([
  ["the leader's own", true, { name: "c", leader: "n1", replicas: others }],
  ["of a stream with one copy", true, { name: "c", leader: "n1" }],
  ["of a member that knows the leader", false, { name: "c", leader: "n2", replicas: others }],
  ["of a member that knows none", false, { name: "c", replicas: [{ name: "n1" }, ...others] }],
  ["of a member that knows nobody", false, { name: "c" }],
])("an answer %s: %s", (_what, stands, cluster) => {
  expect(leadersWord(new SimulatedClock())(STREAM, described(cluster))).toBe(stands);
  expect(leadersWord(new SimulatedClock())(CONSUMER, described(cluster))).toBe(stands);
});

test("a member that begins names itself, and no replica of a stream that has three: no answer", () => {
  const itself = { name: "c", leader: "n1" };
  expect(leadersWord(new SimulatedClock())(STREAM, described(itself, { config: copied }))).toBe(
    false,
  );
  const leading = { ...itself, replicas: others };
  expect(leadersWord(new SimulatedClock())(STREAM, described(leading, { config: copied }))).toBe(
    true,
  );
  // A consumer has as many as its stream, and doesn't say how many.
  const inherited = { ...config, num_replicas: 0 };
  expect(
    leadersWord(new SimulatedClock())(CONSUMER, described(itself, { config: inherited })),
  ).toBe(true);
});

test("who stays the only member for longer than it takes to begin has the word", async () => {
  const clock = new SimulatedClock();
  const isLeadersWord = leadersWord(clock);
  const itself = described({ name: "c", leader: "n1" }, { config: copied });
  expect(isLeadersWord(STREAM, itself)).toBe(false);
  await clock.advance("9s");
  expect(isLeadersWord(STREAM, itself)).toBe(false);
  await clock.advance("3s");
  expect(isLeadersWord(STREAM, itself)).toBe(true);
  expect(isLeadersWord("$JS.API.STREAM.INFO.b", itself)).toBe(false);
  // Long ago it was another beginning.
  await clock.advance("1h");
  expect(isLeadersWord(STREAM, itself)).toBe(false);
  await clock.advance("12s");
  isLeadersWord(
    STREAM,
    described({ name: "c", leader: "n1", replicas: others }, { config: copied }),
  );
  expect(isLeadersWord(STREAM, itself)).toBe(false);
});

test("members are found behind what a long list of subjects or of sources takes", () => {
  const long = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`subject-${n}`, 1]));
  const cluster = { name: "c", leader: "n2", replicas: others };
  const isLeadersWord = leadersWord(new SimulatedClock());
  expect(isLeadersWord(STREAM, described(cluster, { state: { subjects: long } }))).toBe(false);
  const behind = reply({ config, state, cluster, sources: Object.keys(long), ts: "" });
  expect(isLeadersWord(STREAM, behind)).toBe(false);
});

describe("where nobody is named", () => {
  test("a server that is alone has the word, be it reached through a cluster", () => {
    const isLeadersWord = leadersWord(new SimulatedClock());
    expect(isLeadersWord(STREAM, described(undefined))).toBe(true);
    expect(isLeadersWord(CONSUMER, described(undefined))).toBe(true);
  });

  test("a member has it not, and an error stands", () => {
    const isLeadersWord = leadersWord(new SimulatedClock());
    isLeadersWord(STREAM, described({ name: "c", leader: "n1", replicas: others }));
    expect(isLeadersWord(CONSUMER, described(undefined))).toBe(false);
    expect(isLeadersWord(CONSUMER, reply({ error: { code: 404, err_code: 10014 } }))).toBe(true);
  });
});

test("other questions are anybody's to answer", () => {
  const ofFollower = described({ name: "c", leader: "n2", replicas: others });
  for (const subject of ["$JS.API.STREAM.MSG.GET.a", "$JS.API.STREAM.CREATE.a"])
    expect(leadersWord(new SimulatedClock())(subject, ofFollower)).toBe(true);
});
