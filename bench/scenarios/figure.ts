/**
 * What one measurement of one contender gave: bigger is better for rates, smaller for latencies.
 */
export type Figure =
  | {
      readonly kind: "rate";
      readonly perSecond: number;
      readonly cpuUsEach: number;
      readonly heapBytesEach: number;
    }
  | {
      readonly kind: "latency";
      readonly p50Ms: number;
      readonly p99Ms: number;
      readonly maxMs: number;
      /** Under this load. */
      readonly perSecond?: number;
      /**
       * It had not come when the wait was given up: the times are a lower bound, and this is why.
       */
      readonly beyond?: string;
    };
