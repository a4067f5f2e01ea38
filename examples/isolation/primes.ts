import { isMainThread } from "node:worker_threads";
import { defineJob } from "millrace";

/**
 * Work that never yields: in a thread, the node's other jobs go on meanwhile, and the timeout can
 * end it.
 */
export const primes = defineJob<{ below: number }>({
  name: "primes.count",
  isolation: "thread",
  module: import.meta.url,
  timeout: "15s",
  grace: "100ms",
  retry: "none",
});

export default primes.handler(({ input }) => {
  let count = 0;
  for (let n = 2; n < input.below; n += 1) if (isPrime(n)) count += 1;
  return { count, onMainThread: isMainThread };
});

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor += 1) if (n % divisor === 0) return false;
  return true;
}
