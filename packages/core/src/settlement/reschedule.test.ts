import { expect, test } from "vitest";
import { UNSETTLED } from "../envelope/envelope.ts";
import { rescheduled } from "./reschedule.ts";

const DAY_MS = 86_400_000;
const NOW = 1_700_000_000_000;
const job = {
  ...UNSETTLED,
  ...{ id: "j", name: "n", queue: "q", payload: 1, createdAt: NOW, headers: {} },
};
const move = (notBefore: number) => () =>
  rescheduled(job, notBefore, NOW, { maxDelayMs: 10 * DAY_MS }).notBefore;

test("a delayed job is moved no farther than it could have been sent", () => {
  expect(move(NOW + 10 * DAY_MS)()).toBe(NOW + 10 * DAY_MS);
  expect(move(NOW + 10 * DAY_MS + 1)).toThrow(
    expect.objectContaining({
      code: "invalid-option",
      message: expect.stringMatching(/10d ahead \(maxDelay\)/) as string,
    }),
  );
});
