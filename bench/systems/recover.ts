import { fileURLToPath } from "node:url";
import { msBetween } from "../scenarios/figures.ts";
import { startListening } from "../scenarios/listening-child.ts";
import { payloadOf } from "../scenarios/no-op-job.ts";
import type { Arena } from "../scenarios/scenario.ts";
import type { Figure } from "../scenarios/figure.ts";
import type { JobSystem } from "./job-system.ts";

const PROGRAM = fileURLToPath(new URL("../scenarios/recovery-worker.ts", import.meta.url));

/**
 * From the SIGKILL of the process whose handler runs to the start of the handler in another one
 * that was idle. The wait is given up after `amount` seconds; `otherwise` says what the system has
 * set for it.
 */
export async function recover(
  system: JobSystem,
  { url, namespace, amount: seconds }: Arena,
  otherwise: string,
): Promise<Figure> {
  await using queue = await system.open(url, namespace);
  const args = [system.name, url, namespace];
  await using first = await startListening<"startedNs">(PROGRAM, args);
  const started = first.next("startedNs");
  await queue.add(payloadOf(0));
  await started;
  await using second = await startListening<"startedNs">(PROGRAM, args);
  const again = second.next("startedNs");
  const giveUp = Promise.withResolvers<undefined>();
  const killed = process.hrtime.bigint();
  await first.kill("SIGKILL");
  const timer = setTimeout(() => giveUp.resolve(undefined), seconds * 1_000);
  const heard = await Promise.race([again, giveUp.promise]);
  clearTimeout(timer);
  if (heard === undefined) again.catch(() => {});
  await second.kill("SIGKILL");
  const ms = heard === undefined ? seconds * 1_000 : msBetween(killed, heard);
  const beyond = heard === undefined ? { beyond: otherwise } : {};
  return { kind: "latency", p50Ms: ms, p99Ms: ms, maxMs: ms, ...beyond };
}
