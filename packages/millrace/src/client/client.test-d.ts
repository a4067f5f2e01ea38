import { defineJob, defineSchedule, type JobHandle, type Millrace } from "../index.ts";
import { z } from "zod";

/**
 * Compiled with everything else: a payload of the wrong type must not compile, and the result has
 * the handler's type.
 */
const welcome = defineJob({
  name: "mail.welcome",
  input: z.object({ to: z.string(), copies: z.number().default(1) }),
  output: z.object({ sent: z.number() }),
});

export async function check(millrace: Millrace): Promise<void> {
  const handle: JobHandle<{ sent: number }> = await millrace.enqueue(welcome, { to: "ada" });
  const result: { sent: number } = await handle.result({ timeout: "1m" });
  // @ts-expect-error -- the result has no such field
  void result.received;
  // @ts-expect-error -- a field has the wrong type
  await millrace.enqueue(welcome, { to: 1 });
  // @ts-expect-error -- a field is missing
  await millrace.enqueue(welcome, {});
  // @ts-expect-error -- a field too many
  await millrace.enqueue(welcome, { to: "ada", cc: "bob" });
  // @ts-expect-error -- in bulk too
  await millrace.enqueueMany(welcome, [{ input: { to: 1 } }]);
  // @ts-expect-error -- a duration has a unit
  await millrace.enqueue(welcome, { to: "ada" }, { delay: "5 minutes" });
  // @ts-expect-error -- there is no such lane
  await millrace.enqueue(welcome, { to: "ada" }, { priority: "urgent" });
  welcome.handler(({ input }) => ({ sent: input.copies }));
  // @ts-expect-error -- the handler returns what the output schema refuses
  welcome.handler(() => ({ sent: "many" }));
}

// A schedule's input is its job's.
defineSchedule({ name: "a", cron: "* * * * *", job: welcome, input: { to: "ada@example.com" } });
// @ts-expect-error -- the input has no `to`
defineSchedule({ name: "a", cron: "* * * * *", job: welcome, input: { too: "ada@example.com" } });
// @ts-expect-error -- the job needs an input
defineSchedule({ name: "a", cron: "* * * * *", job: welcome });
defineSchedule({ name: "a", cron: "* * * * *", job: defineJob({ name: "bare" }) });
