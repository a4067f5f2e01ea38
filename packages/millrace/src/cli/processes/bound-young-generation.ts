import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

const MB = 2 ** 20;
/** By how much V8 lets it grow at once, where it may. */
const GROWTH = 2;

/**
 * Keeps the young generation from growing beyond this, for a process that allocates much and keeps
 * little of it: V8 would let it grow to 128 MB and never make it smaller while there is work. Each
 * collection is looked at, since V8 takes its limit only when a process starts.
 */
export function boundYoungGeneration(mostMb: number): void {
  let mayGrow = true;
  const look = (): void => {
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const mayGrowNow = (space?.space_size ?? 0) * GROWTH <= mostMb * MB;
    if (mayGrowNow === mayGrow) return;
    mayGrow = mayGrowNow;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? GROWTH : 1}`);
  };
  look();
  new PerformanceObserver(look).observe({ entryTypes: ["gc"] });
}
