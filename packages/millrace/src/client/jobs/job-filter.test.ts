import type { HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { createMask } from "@millrace/telemetry/masking";
import { parseJobFilter, parseLiveJobFilter, type SeenJob } from "./job-filter.ts";
import type { LiveJob } from "./live-jobs.ts";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const RECORD: HistoryRecord = {
  ...{ id: "order-7", name: "invoice.send", queue: "mail", node: "n1", attempts: 3 },
  ...{ state: "dead", outcome: "failed", generation: 3 },
  at: Date.parse("2030-01-01T11:00:00Z"),
  durationMs: 5_500,
  error: { type: "TimeoutError", message: "The bank did not answer" },
  reason: "attempts-exhausted",
};
const LIVE: LiveJob = {
  ...{ id: "order-8", name: "invoice.send", queue: "mail", state: "blocked", attempts: 0 },
  ...{ gate: "customer-42", storedAt: NOW - 60_000 },
};
const CARGO = {
  payload: {
    ...{ customer: { id: 42 }, items: [{ sku: "a" }, { sku: "b" }], total: 150 },
    ...{ apiKey: "k-123456", note: "hush now" },
  },
  tags: ["vip", "eu"],
};

test.each([
  ["name=invoice.* state=dead error=TimeoutError", true],
  ["state=succeeded", false],
  ["message~BANK reason=attempts-*", true],
  ["took>5s took<6s", true],
  ["took>1m", false],
  ["age<2h age>59m", true],
  ["attempts>=3 node=n1", true],
  ["gate~customer", false],
])("of a record, %s: %s", (filter, expected) =>
  expect(parseJobFilter(filter, NOW, createMask())(RECORD)).toBe(expected),
);

test.each([
  ["state=blocked gate=customer-*", true],
  ["age>30s age<2m", true],
  // How long it takes isn't known yet.
  ["took>0s", false],
  ["took<1h", false],
  ["payload.customer.id:42 tag:VIP", true],
  ["payload.items.sku=b", true],
  ["payload.total>100 -payload.total>200", true],
  ["tag=v*", true],
  ["tag=late", false],
  ["-tag:late -payload.customer.id:7", true],
  // A word is looked for in what the job carries, too.
  ["vip", true],
  ["nobody", false],
  // Masked before it is looked at.
  ["payload.apiKey~k-123", false],
  ["k-123456", false],
  ["payload.note~hush", false],
])("of a job that has not ended, %s: %s", (filter, expected) => {
  const { fits } = parseLiveJobFilter(filter, NOW, createMask({ patterns: [/hush/g] }));
  expect(fits({ job: LIVE, carries: CARGO })).toBe(expected);
});

const RUNNING: LiveJob = {
  ...{ id: "order-9", name: "invoice.send", queue: "mail", state: "running", attempts: 1 },
  startedAt: NOW,
};
const DELAYED: LiveJob = { ...RUNNING, state: "delayed", notBefore: NOW, storedAt: NOW };

function isTakenIn(filter: string, seen: SeenJob): boolean {
  return parseLiveJobFilter(filter, NOW, createMask()).fits(seen);
}

test.each([
  ["lane", "high", RUNNING],
  // Several nodes are silent.
  ["node", "n1", RUNNING],
  ["error", "TimeoutError", RUNNING],
  // It waits for its retry.
  ["error", "TimeoutError", DELAYED],
  ["message", "refused", DELAYED],
  ["reason", "timeout", DELAYED],
])("what is not known of a job takes it in by no term: %s:%s", (field, value, job) => {
  for (const term of [`${field}:${value}`, `${field}!=${value}`, `${field}!~${value}`])
    for (const filter of [term, `-${term}`, `-(${term} OR id=nobody)`, `${field}:""`])
      expect([filter, isTakenIn(filter, { job })]).toEqual([filter, false]);
});

test.each(["took>1s", "took<1s", "-took>1s", "-took<1s"])(
  "how long a job takes that has not ended is not known: %s",
  (filter) => expect(isTakenIn(filter, { job: RUNNING })).toBe(false),
);

test.each<[string, SeenJob, boolean]>([
  ["-lane:high", { job: DELAYED }, true],
  ["-lane:high", { job: { ...DELAYED, lane: "high" } }, false],
  ["lane:high", { job: { ...DELAYED, lane: "high" } }, true],
  ["-node:n1", { job: DELAYED }, true],
  ["-node:n1", { job: { ...RUNNING, node: "n2" } }, true],
  ["-timeout", { job: RUNNING, carries: { payload: null } }, true],
  ["tag:vip lane:high", { job: RUNNING, carries: { ...CARGO, lane: "high" } }, true],
  ["tag:vip -lane:high", { job: RUNNING, carries: { ...CARGO, lane: "high" } }, false],
  ["tag:vip -lane:high", { job: RUNNING, carries: CARGO }, true],
])("what is known decides: %s", (filter, seen, expected) =>
  expect(isTakenIn(filter, seen)).toBe(expected),
);

test.each(["tag:vip lane:high", "tag:vip -lane:high"])(
  "what a running job carries is read for %s, because it says its lane",
  (filter) => {
    const { mayFit } = parseLiveJobFilter(filter, NOW, createMask());
    expect(mayFit(RUNNING)).toBe(true);
  },
);

test("no record says in which lane its job was", () => {
  for (const filter of ["lane:high", "-lane:high"])
    expect(parseJobFilter(filter, NOW, createMask())(RECORD)).toBe(false);
});

test.each(["gate~sk_live", "tag~sk_live", "sk_live"])(
  "a secret in a gate's name or a tag is not guessed letter by letter with %s",
  (filter) => {
    const secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
    const { fits } = parseLiveJobFilter(filter, NOW, createMask({ patterns: [/sk_live_\w+/g] }));
    const job = { ...LIVE, gate: `customer-${secret}` };
    expect(fits({ job, carries: { ...CARGO, tags: [secret] } })).toBe(false);
  },
);

test.each([
  "-tag=4111111111111111",
  "tag!=4111111111111111",
  "-gate~4111",
  "gate!~4111",
  "-payload.card=4111111111111111",
  "-payload~4111",
  "-4111",
  "-(tag=4111111111111111 OR id=nobody)",
])("a job is not taken in by %s where a mask hides that", (filter) => {
  const card = "4111111111111111";
  const { fits } = parseLiveJobFilter(filter, NOW, createMask());
  const carries = { ...CARGO, payload: { card, customer: 7 }, tags: [card, "vip"] };
  expect(fits({ job: { ...LIVE, gate: `cap/acct/${card}` }, carries })).toBe(false);
});

test.each(["-tag=late -payload.customer=8", "tag=vip", "-payload.customer:8 -queue=nobody"])(
  "and is by %s, which asks for nothing that is hidden",
  (filter) => {
    const { fits } = parseLiveJobFilter(filter, NOW, createMask());
    const carries = { ...CARGO, payload: { card: "4111111111111111", customer: 7 }, tags: ["vip"] };
    expect(fits({ job: LIVE, carries })).toBe(true);
  },
);

test.each(["message~hush", "reason~hush", "hush"])(
  "nor one in the history's messages and reasons with %s",
  (filter) => {
    const error = { type: "Error", message: "hush", stack: "" };
    const record = { ...RECORD, error, reason: "hush" };
    const mask = createMask({ patterns: [/hush/g] });
    expect(parseJobFilter(filter, NOW, mask)(record)).toBe(false);
  },
);

test.each([
  ["payload.customer:42", true],
  ["state=queued (name=a OR -tag:b)", true],
  ["a word", true],
  ["state=queued age>1h -gate:x", false],
])("whether %s can be told only by what a job carries: %s", (filter, expected) => {
  const test = parseLiveJobFilter(filter, NOW, createMask());
  expect(test.asksCargo).toBe(expected);
});

test("what a job carries is masked once, however many terms ask for it", () => {
  const mask = createMask();
  let masked = 0;
  const counting = Object.assign((value: unknown) => {
    masked += 1;
    return mask(value);
  }, mask);
  const many = Array.from({ length: 100 }, (_, n) => `payload.n:${n} OR -w${n}x`).join(" ");
  const { fits } = parseLiveJobFilter(`${many} payload.customer.id:7`, NOW, counting);
  for (let n = 1; n <= 3; n += 1) {
    expect(fits({ job: LIVE, carries: CARGO })).toBe(false);
    expect(masked).toBe(n);
  }
});

test("and so are its gate and its tags", () => {
  const mask = createMask();
  let masked = 0;
  const text = (given: string): string => ((masked += 1), mask.text(given));
  const counting = Object.assign((value: unknown) => mask(value), mask, { text });
  const asking = (filter: string): number => {
    masked = 0;
    const { fits, mayFit } = parseLiveJobFilter(filter, NOW, counting);
    const carries = { payload: { customer: { id: 42 } }, tags: ["vip"] };
    expect([mayFit(LIVE), fits({ job: LIVE, carries })]).toEqual([true, true]);
    return masked;
  };
  const once = "-gate~x -tag~x payload.customer.id:42";
  const few = asking(once);
  const many = ["gate", "tag"].map((field) => `-${field}~x -${field}:y`);
  expect(asking(`${many.join(" ")} -w1 -w2 -w3 ${once}`)).toBe(few);
});

test.each(["-message~4111", "message!~4111", "-4111", "-reason:4111*", "-gate~4111", "-tag:4111*"])(
  "%s takes in nothing for what was masked when it was stored",
  (filter) => {
    const error = { type: "Declined", message: "no money on ***" };
    const record = { ...RECORD, error, reason: "***" };
    const live = { ...LIVE, gate: "cap/acct/***" };
    const carries = { payload: null, tags: ["***"] };
    if (!/gate|tag/.test(filter))
      expect(parseJobFilter(filter, NOW, createMask())(record)).toBe(false);
    if (!/message|reason/.test(filter))
      expect(parseLiveJobFilter(filter, NOW, createMask()).fits({ job: live, carries })).toBe(
        false,
      );
  },
);

test("of a job that can't be read, nobody says that something is not in it", () => {
  const { fits } = parseLiveJobFilter("-payload.customer:42", NOW, createMask());
  expect(fits({ job: LIVE })).toBe(false);
});

test("what can't be asked is refused with its place and what can be", () => {
  expect(() => parseJobFilter("state=dead payload.customer=42", NOW, createMask())).toThrow(
    expect.objectContaining({
      code: "invalid-filter",
      message: expect.stringMatching(/got payload\.customer=42 at character 12/) as string,
    }),
  );
  expect(() => parseJobFilter("took>soon", NOW, createMask())).toThrow(
    /a duration .* got took>soon/,
  );
});
