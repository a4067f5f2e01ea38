import { expect, test } from "vitest";
import { LeaseSegment } from "./lease-segment.ts";
import { elapsedMs, sharedNowMs } from "./shared-clock.ts";

const subject = "$JS.ACK.Q.W.1.1.1.1697042342342342342.0";

test("a lease is held until it is freed or lost, and its slot's next lease is another", () => {
  const segment = new LeaseSegment();
  const first = segment.take(3, subject, 1_000, 0);
  expect(segment.isHeld(3, first)).toBe(true);
  expect(segment.heldGeneration(3)).toBe(first);
  expect(segment.subject(3, first)).toBe(subject);
  expect(segment.free(3, first)).toBe(true);
  expect(segment.free(3, first)).toBe(false);
  expect(segment.heldGeneration(3)).toBeUndefined();
  const second = segment.take(3, subject, 1_000, 0);
  expect(second).not.toBe(first);
  expect(segment.isHeld(3, first)).toBe(false);
  expect(segment.free(3, first)).toBe(false);
  expect(segment.declareLost(3, first)).toBe(false);
  expect(segment.declareLost(3, second)).toBe(true);
  expect(segment.declareLost(3, second)).toBe(false);
  expect(segment.isHeld(3, second)).toBe(false);
  expect(segment.isLost(3, second)).toBe(true);
  expect(segment.free(3, second)).toBe(true);
  expect(segment.isLost(3, second)).toBe(false);
});

test.each([
  [0, "fresh"],
  [333, "fresh"],
  [334, "due"],
  [833, "due"],
  [834, "over"],
  [5_000, "over"],
])("an ack_wait of 1,000 ms, confirmed %i ms ago: %s", (age, expected) => {
  const segment = new LeaseSegment();
  segment.take(0, subject, 1_000, 2_147_483_600);
  expect(segment.age(0, (2_147_483_600 + age) | 0)).toBe(expected);
});

test("only a later confirmation counts, and only for the lease it was sent for", () => {
  const segment = new LeaseSegment();
  const generation = segment.take(0, subject, 1_000, 100);
  segment.confirm(0, generation, 700);
  segment.confirm(0, generation, 400);
  expect(segment.age(0, 1_500)).toBe("due");
  segment.confirm(0, generation + 1, 1_500);
  segment.declareLost(0, generation);
  segment.confirm(0, generation, 1_500);
  expect(segment.age(0, 1_600)).toBe("over");
});

test("both threads see the same memory, and the clock wraps", () => {
  const here = new LeaseSegment();
  const there = new LeaseSegment(here.buffer);
  const generation = here.take(255, subject, 1_000, sharedNowMs());
  expect(there.subject(255, generation)).toBe(subject);
  expect(there.declareLost(255, generation)).toBe(true);
  expect(here.isLost(255, generation)).toBe(true);
  expect(elapsedMs(2_147_483_647, -2_147_483_648)).toBe(1);
});
