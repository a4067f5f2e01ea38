import { defineJob, type Duration, type ExecutionContext, StepError } from "millrace";

/** What the job needs from outside, so that a test can give it something else. */
export interface Shop {
  createAccount(email: string, key: string): Promise<{ readonly id: string }>;
  mail(to: string, text: string, key: string): Promise<void>;
  charge(account: string, key: string): Promise<{ readonly receipt: string }>;
  close(account: string, key: string): Promise<void>;
}

export const trial = defineJob<{ email: string }>({
  name: "shop.trial",
  queue: "trials",
  steps: true,
  retry: { attempts: 5, backoff: "exponential", base: "10s" },
});

/** An account, two weeks for nothing, then the first payment; without one the account is closed. */
export const trialIn = (shop: Shop, free: Duration = "14d") =>
  trial.handler(async ({ input, step }: ExecutionContext<{ email: string }>) => {
    const { email } = input;
    const account = await step.run("create account", ({ key }) => shop.createAccount(email, key));
    await step.run("welcome", ({ key }) => shop.mail(email, "Welcome!", key));

    await step.sleep("free weeks", free);

    try {
      const { receipt } = await step.run("charge", ({ key }) => shop.charge(account.id, key));
      return { account: account.id, receipt };
    } catch (error) {
      // Anything else is thrown on: the attempt has failed, and the next one charges again.
      if (!StepError.is(error) || error.type !== "CardDeclined") throw error;
      await step.run("close account", ({ key }) => shop.close(account.id, key));
      return { account: account.id, closed: true };
    }
  });
