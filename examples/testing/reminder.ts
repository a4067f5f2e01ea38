import { defineJob, type ExecutionContext, fatal } from "millrace";

/** What the job needs from outside, so that a test can give it something else. */
export interface Mailer {
  send(to: string, options: { signal: AbortSignal }): Promise<"sent" | "no such address">;
}

export const reminder = defineJob<{ to: string }>({
  name: "mail.reminder",
  queue: "mail",
  retry: { attempts: 3, backoff: "exponential", base: "1m", jitter: false },
});

export const reminderWith = (mailer: Mailer) =>
  reminder.handler(async ({ input, signal }: ExecutionContext<{ to: string }>) => {
    const answer = await mailer.send(input.to, { signal });
    return answer === "sent" ? { sentTo: input.to } : fatal(`${input.to} is no address`);
  });
