import { readdirSync } from "node:fs";

/** What a node program says of its own process, garbage collected first. Needs `--expose-gc`. */
export interface VitalSigns {
  /** The main thread's heap. */
  readonly heapBytes: number;
  /** Buffers and the like, outside of the heap. */
  readonly externalBytes: number;
  /** Of the whole process: both threads, code, what the allocator keeps. */
  readonly rssBytes: number;
  /** Sockets, pipes, watchers, ports: whatever libuv keeps open, timers apart. */
  readonly handles: number;
  readonly timers: number;
  /** Undefined where there is no /proc. */
  readonly fds?: number;
}

const TIMERS = new Set(["Timeout", "Immediate"]);

/** @throws where the process was started without `--expose-gc` */
export async function takeVitalSigns(): Promise<VitalSigns> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("vital signs need --expose-gc");
  // What the first collection finds unreachable may free other things only after its finalizers
  // ran.
  for (let times = 0; times < 3; times += 1) {
    gc();
    await new Promise(setImmediate);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const timers = resources.filter((name) => TIMERS.has(name)).length;
  const fds = countFds();
  return {
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
    handles: resources.length - timers,
    timers,
    ...(fds === undefined ? {} : { fds }),
  };
}

function countFds(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
