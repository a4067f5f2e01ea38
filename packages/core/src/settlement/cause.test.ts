import { expect, test } from "vitest";
import { causesOf } from "./cause.ts";
import type { DeadLetterGroup } from "./dead-letter-group.ts";
import type { FailureGroup } from "./failure-group.ts";

const HOUR_MS = 3_600_000;
const OF = { queue: "mail", name: "send", error: "TimeoutError", pattern: "after *" };

const letters = (more: Partial<DeadLetterGroup>): DeadLetterGroup => ({
  ...{ ...OF, reason: "attempts-exhausted", fingerprint: "aa", count: 1 },
  ...{ firstAt: 50, lastAt: 90, lastId: "l", message: "after 9 s" },
  ...{ perHour: [{ at: 0, count: 1 }], nodes: [{ node: "n", count: 1 }], nodeCount: 1 },
  ...more,
});
const failures = (more: Partial<FailureGroup>): FailureGroup => ({
  ...{ ...OF, fingerprint: "aa", failures: 7, died: 2, jobs: 4 },
  ...{ firstAt: 20, lastAt: 80, lastId: "f", message: "after 8 s" },
  perHour: [{ at: 0, failures: 7, died: 2 }],
  ...{ nodes: [{ node: "n", count: 6 }], nodeCount: 1 },
  ...more,
});

test("letters and failed attempts of one fingerprint are one cause, whatever the letters' reason", () => {
  const causes = causesOf(
    [
      letters({ count: 2 }),
      letters({ reason: "fatal", lastAt: 95, lastId: "m", nodes: [{ node: "n", count: 3 }] }),
    ],
    [failures({})],
  );
  expect(causes).toEqual([
    {
      ...{ ...OF, fingerprint: "aa", reasons: ["attempts-exhausted", "fatal"], letters: 3 },
      failed: { failures: 7, died: 2, jobs: 4, perHour: [{ at: 0, failures: 7, died: 2 }] },
      ...{ firstAt: 20, lastAt: 95, lastId: "m", message: "after 9 s" },
      perHour: [{ at: 0, count: 2 }],
      // What died there has failed there.
      ...{ nodes: [{ node: "n", count: 6 }], nodeCount: 1 },
    },
  ]);
});

test("what was retried and succeeded is a cause without letters, what died long ago one without failures", () => {
  const causes = causesOf(
    [letters({ fingerprint: "old", count: 3 })],
    [failures({ died: 0 }), failures({ queue: "img", failures: 1 })],
  );
  expect(causes.map(({ queue, letters: now, failed }) => [queue, now, failed?.failures])).toEqual([
    ["mail", 0, 7],
    ["mail", 3, undefined],
    ["img", 0, 1],
  ]);
  expect(causes[0]).toMatchObject({ reasons: [], perHour: [] });
});

test("letters without an error are told apart by their reason, and those of nodes are added up", () => {
  const { fingerprint: _one, error: _two, pattern: _three, ...bare } = letters({});
  const expired = { ...bare, reason: "expired" } as const;
  expect(causesOf([bare, expired], [])).toHaveLength(2);
  const nodes = [{ node: "n", count: 2 }];
  const hours = [{ at: HOUR_MS, count: 2 }];
  const [both] = causesOf([letters({}), letters({ reason: "fatal", nodes, perHour: hours })], []);
  expect(both).toMatchObject({
    nodes: [{ node: "n", count: 3 }],
    perHour: [
      { at: 0, count: 1 },
      { at: HOUR_MS, count: 2 },
    ],
  });
  expect(both).not.toHaveProperty("failed");
});
