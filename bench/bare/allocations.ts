import { GCProfiler, getHeapStatistics } from "node:v8";

/**
 * Counts what this thread allocates on the engine's heap: what the heap grew by between two
 * collections, summed up. Other work on the machine slows a process down, and makes it allocate
 * nothing more.
 *
 * @returns reads the bytes so far, and ends the count
 */
export function countAllocations(): () => number {
  const profiler = new GCProfiler();
  const before = getHeapStatistics().used_heap_size;
  profiler.start();
  return () => {
    const after = getHeapStatistics().used_heap_size;
    let allocated = 0;
    let left = before;
    for (const { beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
      allocated += beforeGC.heapStatistics.usedHeapSize - left;
      left = afterGC.heapStatistics.usedHeapSize;
    }
    return allocated + after - left;
  };
}
