import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { run } from "./run.ts";

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * When a process was started, in a form of the system's own: with it, a pid that is used again is
 * told from the process that had it before. Undefined when the process is gone, or the system does
 * not say.
 */
export async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === "win32") return undefined;
  if (process.platform !== "linux") return (await psStart(pid)) || undefined;
  const [boot, stat] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => ""),
    readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""),
  ]);
  // The name in parentheses may hold anything; the start is the 20th field behind the last one.
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return start === undefined ? undefined : `${boot.trim()}/${start}`;
}

/**
 * Whose pids this process knows. Containers that share a directory have processes of their own with
 * the same ids, and may have the same host name.
 */
export async function placeOfPids(): Promise<string> {
  const space = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${hostname()} ${space}`.trim();
}

async function psStart(pid: number): Promise<string> {
  // In the same words whoever asks.
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  const start = run("ps", ["-o", "lstart=", "-p", String(pid)], { timeoutMs: 5_000, env });
  return (await start.catch(() => "")).trim();
}
