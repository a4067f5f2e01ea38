import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** What the kernel charges to a group, bytes. */
export interface ChargedMemory {
  /** All that is charged less files that were not read of late: what `kubectl top` says. */
  readonly workingSet: number;
  /** What is in no file: heaps, stacks, buffers. */
  readonly own: number;
  /** All that is charged, files in the cache included. */
  readonly charged: number;
}

/** A memory cgroup of its own, as each container has one. */
export interface MemoryGroup {
  /** A process that writes its id here is charged to the group from then on. */
  readonly procs: string;
  read(): ChargedMemory;
  /** Once its processes have ended. */
  remove(): void;
}

interface Hierarchy {
  readonly folder: string;
  readonly usage: string;
  /** Of `memory.stat`: what is in no file, and files that were not read of late. */
  readonly fields: readonly [own: string, inactive: string];
}

const ROOT = "/sys/fs/cgroup";
const HIERARCHIES: readonly Hierarchy[] = [
  { folder: ROOT, usage: "memory.current", fields: ["anon", "inactive_file"] },
  {
    folder: join(ROOT, "memory"),
    usage: "memory.usage_in_bytes",
    fields: ["total_rss", "total_inactive_file"],
  },
];

/** @returns why there can be none, where there can't */
export function memoryGroup(name: string): MemoryGroup | string {
  if (process.platform !== "linux") return "only Linux has memory cgroups";
  const why: string[] = [];
  for (const hierarchy of HIERARCHIES) {
    const made = groupIn(hierarchy, name);
    if (typeof made !== "string") return made;
    why.push(made);
  }
  return `no memory cgroup can be made here (${why.join("; ")})`;
}

function groupIn({ folder, usage, fields }: Hierarchy, name: string): MemoryGroup | string {
  const path = join(folder, name);
  try {
    mkdirSync(path);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  try {
    accessSync(join(path, "cgroup.procs"), constants.W_OK);
    if (!existsSync(join(path, usage))) throw new Error(`${folder} does not count memory`);
  } catch (error) {
    rmdirSync(path);
    return error instanceof Error ? error.message : String(error);
  }
  return {
    procs: join(path, "cgroup.procs"),
    read: () => {
      const charged = Number(readFileSync(join(path, usage), "utf8"));
      const stat = readFileSync(join(path, "memory.stat"), "utf8");
      const [own = 0, inactive = 0] = fields.map((field) =>
        Number(new RegExp(`^${field} (\\d+)$`, "m").exec(stat)?.[1]),
      );
      return { workingSet: charged - inactive, own, charged };
    },
    remove: () => rmdirSync(path),
  };
}
