import { existsSync, readFileSync } from "node:fs";

/** What a process has used so far. */
export interface ProcessUsage {
  /** User and system, since it began. */
  readonly cpuMs: number;
  /** Now. */
  readonly rssBytes: number;
}

/** Linux counts in hundredths of a second for whoever reads /proc, whatever its own clock is. */
const TICKS_PER_SECOND = 100;

/** Why processes can't be measured here; undefined where they can. */
export function usageMissing(): string | undefined {
  return existsSync("/proc/self/stat")
    ? undefined
    : "this machine has no /proc, where the processor time and memory of the server are read";
}

/** Of another process of this machine. @throws where there is none, or no /proc */
export function readUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the program's name in brackets, in which anything may stand.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  return {
    cpuMs: ((user + system) * 1_000) / TICKS_PER_SECOND,
    rssBytes: Number(kilobytes) * 1_024,
  };
}
