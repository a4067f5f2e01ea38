import { trialIn } from "./trial.ts";

const say = async (what: string): Promise<void> => console.log(what);

/** In place of a real shop: it says what it does. Two weeks are a minute. */
export const jobs = trialIn(
  {
    createAccount: async (email) => ({ id: `account-of-${email}` }),
    mail: (to, text) => say(`to ${to}: ${text}`),
    charge: async (account) => ({ receipt: `receipt-of-${account}` }),
    close: (account) => say(`closed ${account}`),
  },
  "1m",
);
