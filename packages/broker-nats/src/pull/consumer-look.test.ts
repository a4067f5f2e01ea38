import { expect, test } from "vitest";
import { ConsumerLook } from "./consumer-look.ts";
import type { PullSubscriptionOptions } from "./pull-subscription-options.ts";

/** Looks that end as they are told, in the order in which they were begun. */
function looking() {
  const begun: PromiseWithResolvers<void>[] = [];
  const options = {
    onConsumerMissing: () => {
      const look = Promise.withResolvers<void>();
      begun.push(look);
      return look.promise;
    },
  } as Partial<PullSubscriptionOptions> as PullSubscriptionOptions;
  return { look: new ConsumerLook(options), begun };
}

test("a consumer that is certainly gone is not waited for with a look that waits for a leader", async () => {
  const { look, begun } = looking();
  const leaderless = look.begin(false);
  const gone = look.begin(true);
  expect(begun).toHaveLength(2);
  begun[1]?.resolve();
  await gone;
  begun[0]?.resolve();
  await leaderless;
  void look.begin(false);
  expect(begun).toHaveLength(3);
});

test("it is not called gone where nobody has said so", async () => {
  const told: string[] = [];
  const look = new ConsumerLook({
    ...{ stream: "work", consumer: "normal" },
    onConsumerMissing: () => Promise.reject(new Error("no answer")),
    onProblem: (error: Error) => told.push(error.message),
  } as Partial<PullSubscriptionOptions> as PullSubscriptionOptions);
  await look.begin(false);
  await look.begin(true);
  expect(told).toEqual([
    "Consumer normal of stream work has no leader that answers, and could not be looked at.",
    "Consumer normal of stream work is gone and could not be created again.",
  ]);
});

test("who asks for the same at the same time shares a look", async () => {
  const { look, begun } = looking();
  const gone = [look.begin(true), look.begin(true), look.begin(false)];
  expect(begun).toHaveLength(1);
  begun[0]?.resolve();
  await Promise.all(gone);
  const leaderless = [look.begin(false), look.begin(false)];
  expect(begun).toHaveLength(2);
  begun[1]?.resolve();
  await Promise.all(leaderless);
});
