import { readFileSync } from "node:fs";
import { systemClock } from "@millrace/core";

/** What a node says of its process. What an older version wrote has nothing of it. */
export interface ProcessReport {
  /** Of Millrace. */
  readonly version?: string;
  /** What the process runs on: `Node.js 24.1.0`. */
  readonly engine?: string;
  readonly memory?: MemoryReport;
}

export interface MemoryReport {
  /** Of the machine's memory, all that the process holds. */
  readonly rssBytes: number;
  /** Of that, what objects of JavaScript take. */
  readonly heapBytes: number;
}

/** Above the compiled package's one folder, else above this file's. */
const PLACES = ["../package.json", "../../package.json"];

const VERSION = ownVersion();

/**
 * By the machine's clock: where a test's clock passes weeks in a moment, reading the memory at each
 * heartbeat is half of the work.
 */
const MEMORY_HOLDS_MS = 1_000;
let memoryRead: { readonly memory: MemoryReport; readonly atMs: number } | undefined;

export function processReport(): ProcessReport {
  return {
    ...(VERSION === undefined ? {} : { version: VERSION }),
    ...{ engine: engineOf(process.versions), memory: memoryReport() },
  };
}

function memoryReport(): MemoryReport {
  const atMs = systemClock.monotonic();
  if (memoryRead !== undefined && atMs - memoryRead.atMs < MEMORY_HOLDS_MS)
    return memoryRead.memory;
  const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
  memoryRead = { memory: { rssBytes, heapBytes }, atMs };
  return memoryRead.memory;
}

/** What of it can be read, whoever wrote it. */
export function readProcessReport(report: ProcessReport): ProcessReport {
  const { version, engine, memory } = report as Readonly<Record<keyof ProcessReport, unknown>>;
  return {
    ...(typeof version === "string" ? { version } : {}),
    ...(typeof engine === "string" ? { engine } : {}),
    ...(isMemoryReport(memory) ? { memory } : {}),
  };
}

/** Each calls itself Node.js as well. */
export function engineOf(versions: Readonly<Record<string, string | undefined>>): string {
  if (versions["bun"] !== undefined) return `Bun ${versions["bun"]}`;
  if (versions["deno"] !== undefined) return `Deno ${versions["deno"]}`;
  return `Node.js ${versions["node"]}`;
}

/**
 * Of this package; all packages of Millrace share it.
 *
 * @returns undefined in a program that was bundled: the file is another package's then, or missing
 */
function ownVersion(): string | undefined {
  for (const place of PLACES) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), "utf8");
      const { name, version } = JSON.parse(text) as Readonly<Record<string, unknown>>;
      if (name === "@millrace/runtime" && typeof version === "string") return version;
    } catch {
      // Not there, or not to be read: it may be in the other place.
    }
  }
  return undefined;
}

function isMemoryReport(value: unknown): value is MemoryReport {
  const memory = value as Partial<MemoryReport> | null | undefined;
  return typeof memory?.rssBytes === "number" && typeof memory.heapBytes === "number";
}
