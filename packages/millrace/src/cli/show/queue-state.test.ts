import { expect, test } from "vitest";
import { queueState } from "./queue-state.ts";

const NOW = 100_000;

test.each([
  [{ intake: "open" }, "active"],
  [{ intake: "open", maxParked: 0 }, "active, parks up to 0"],
  [{ intake: "open", queued: 7, running: 2, maxJobs: 10 }, "active, takes up to 10"],
  [{ intake: "open", queued: 7, running: 3, maxJobs: 10 }, "FULL, takes up to 10"],
  [
    { intake: "open", running: 3, lost: 3, silentMs: 44_400 },
    "LOST: the node of 3 running is not heard of for 44s",
  ],
  [{ intake: "open", running: 3, lost: 3 }, "LOST: no node is known that could have the 3 running"],
  [
    { intake: "open", running: 3, unheard: 3, silentMs: 16_000 },
    "the node of 3 running is not heard of for 16s",
  ],
  [
    { intake: "open", sendsTo: ["print"], maxParked: 50 },
    "active, sends on to print, parks up to 50",
  ],
  [
    { intake: "closed", paused: { since: NOW - 5_000, reason: "deploy" }, maxParked: 50 },
    "PAUSED for 5s (deploy), CLOSED, parks up to 50",
  ],
] as const)("%j is shown as: %s", (state, shown) => {
  expect(queueState({ queued: 0, running: 0, ...state }, NOW)).toBe(shown);
});
