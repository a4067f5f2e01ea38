import { countAllocations } from "./allocations.ts";

/**
 * Messages handled, how long it took on the monotonic clock, and the processor time this process
 * and the bytes of heap this thread spent on it.
 */
export interface Run {
  readonly messages: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly heapBytes: number;
}

export function perSecond(run: Run): number {
  return Math.round((run.messages / run.elapsedMs) * 1_000);
}

/** Tells client code apart where the machine is busy with other work. */
export function cpuPerMessageUs(run: Run): number {
  return Math.round((run.cpuMs / run.messages) * 10_000) / 10;
}

export function heapBytesPerMessage({ heapBytes, messages }: Run): number {
  return Math.round(heapBytes / messages);
}

export async function timed(messages: number, work: () => Promise<void>): Promise<Run> {
  const heapBytes = countAllocations();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const elapsedMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { messages, elapsedMs, cpuMs: (user + system) / 1_000, heapBytes: heapBytes() };
}
