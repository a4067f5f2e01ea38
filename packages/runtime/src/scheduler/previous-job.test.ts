import { type Stoppable, silentLogger } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { PreviousJob } from "./previous-job.ts";

const PATIENT = { timeout: 20_000 };

test("a following that fails late does not forget the one that came after it", async () => {
  const broker = new MemoryBroker();
  const first = Promise.withResolvers<Stoppable>();
  const stop = vi.fn(async () => {});
  const follow = vi.spyOn(broker.history, "follow");
  follow.mockReturnValueOnce(first.promise);
  follow.mockResolvedValue({ stop });
  const host = { broker, log: silentLogger, events: { emit: () => {} } };
  const previous = new PreviousJob(host as never, "nightly", () => {});
  previous.follow({ id: "a", queue: "q" } as never);
  previous.follow({ id: "b", queue: "q" } as never);
  first.reject(new Error("away"));
  await expect(first.promise).rejects.toThrow("away");
  previous.follow({ id: "b", queue: "q" } as never);
  expect(follow).toHaveBeenCalledTimes(2);
  previous.unfollow();
  await expect.poll(() => stop.mock.calls.length, PATIENT).toBe(1);
});
