// Stands for a payment provider: often busy, strict, and slow with large amounts.
import { setTimeout } from "node:timers/promises";
import type { Order } from "./definitions.ts";

export interface Bank {
  /**
   * @param key of the payment: the same key is charged once, however often it is asked for
   * @returns the receipt's number, or why the customer's bank refuses
   */
  charge(
    order: Order,
    options: { readonly key: string; readonly signal: AbortSignal },
  ): Promise<{ readonly receipt: string } | { readonly refused: string }>;
}

const MOST_CENTS = 1_000_000;
/** From here on a person looks at it, which takes a day. */
const LARGE_CENTS = 100_000;

export function busyBank(): Bank {
  const asked = new Set<string>();
  return {
    async charge({ cents }, { key, signal }) {
      if (cents > MOST_CENTS) return { refused: "the card's limit is exceeded" };
      if (cents >= LARGE_CENTS) await setTimeout(86_400_000, undefined, { signal });
      if (!asked.has(key)) {
        asked.add(key);
        throw new Error("the bank is busy");
      }
      return { receipt: `r-${key}` };
    },
  };
}
