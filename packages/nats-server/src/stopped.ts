import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "./run.ts";

const POLL_MS = 2;

/**
 * Resolves when SIGSTOP has taken effect. The signal only asks: until the system has stopped every
 * thread, a server on a busy machine may still answer. Resolves too when the process is gone.
 */
export async function untilStopped(pid: number, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isStopped(pid))) {
    if (performance.now() > deadline) {
      throw new Error(`process ${pid} was not stopped within ${withinMs} ms`);
    }
    await sleep(POLL_MS);
  }
}

async function isStopped(pid: number): Promise<boolean> {
  const states = process.platform === "linux" ? await threadStates(pid) : await processState(pid);
  return states.every((state) => state === "T" || state === "Z");
}

/** One letter per thread; none when the process is gone. */
async function threadStates(pid: number): Promise<readonly string[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const stats = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => "")),
  );
  // The name in parentheses may hold anything, so the state is what follows the last one.
  return stats.flatMap((stat) => /\) (\S)[^)]*$/.exec(stat)?.[1] ?? []);
}

async function processState(pid: number): Promise<readonly string[]> {
  const state = await run("ps", ["-o", "state=", "-p", String(pid)], { timeoutMs: 5_000 }).catch(
    () => "",
  );
  return state.trim() === "" ? [] : [state.trim().slice(0, 1)];
}
