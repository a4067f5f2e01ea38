import { fork } from "node:child_process";
import { text } from "node:stream/consumers";
import { NOTHING_YET, sumOf, type Totals } from "./figures.ts";

/**
 * Runs a program in several processes, each with its share of the seeds, and adds up what they come
 * to. What they write to stderr comes through.
 *
 * @param args what each gets; its share is added
 * @throws Error where a process ends without a result
 */
export async function inProcesses(
  program: string,
  processes: number,
  args: readonly string[],
): Promise<Totals> {
  const shares = Array.from({ length: processes }, (_, at) => `${at + 1}/${processes}`);
  const totals = await Promise.all(shares.map((share) => inProcess(program, share, args)));
  return totals.reduce(sumOf, NOTHING_YET);
}

async function inProcess(program: string, share: string, args: readonly string[]): Promise<Totals> {
  const child = fork(program, [...args, "--share", share, "--go-on", "--json"], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const end = (): void => void child.kill("SIGTERM");
  process.on("SIGTERM", end);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const said = child.stdout === null ? "" : await text(child.stdout);
  await ended;
  process.off("SIGTERM", end);
  if (said === "") throw new Error(`The process with share ${share} ended without a result.`);
  return JSON.parse(said) as Totals;
}
