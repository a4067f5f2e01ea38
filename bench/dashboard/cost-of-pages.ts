import { readUsage, usageMissing } from "../scale/process-usage.ts";
import { medianOf } from "./median.ts";
import { OpenPage } from "./open-page.ts";

const PAGES = 3;

interface Rounds {
  /** Of the dashboard. */
  readonly url: string;
  readonly rounds: number;
  /** Whose processor time is counted: server, node and dashboard. */
  readonly pids: readonly number[];
  /** Has the fleet do its jobs. @returns how many a second */
  run(this: void): Promise<number>;
  /** Told after each round, of how far it is and what it gave. */
  tell(this: void, line: string): void;
}

interface Round {
  readonly rate: number;
  /** Of all these processes together. */
  readonly cpuMs: number;
}

/**
 * What open pages take from the fleet: rounds with some open and without any take turns. The
 * dashboard goes on to follow the history for minutes after a page was closed, so that is in both.
 *
 * @returns a line each for the rate and, where it can be measured, the processor time a job, with
 *   pages as a share of that without; none where no rounds were asked for
 */
export async function costOfPages({
  url,
  rounds,
  pids,
  run,
  tell,
}: Rounds): Promise<readonly string[]> {
  if (rounds === 0) return [];
  const without = async (): Promise<Round> => {
    const before = cpuOf(pids);
    const rate = await run();
    return { rate, cpuMs: cpuOf(pids) - before };
  };
  const withPages = async (): Promise<Round> => {
    const pages = Array.from({ length: PAGES }, () => new OpenPage(url));
    try {
      return await without();
    } finally {
      for (const page of pages) await page.close();
    }
  };
  await without();
  const rates: number[] = [];
  const times: number[] = [];
  for (let n = 0; n < rounds; n += 1) {
    // Whoever comes second finds a larger history.
    const early = n % 2 === 1 ? await withPages() : undefined;
    const bare = await without();
    const open = early ?? (await withPages());
    const [rate, cpu] = [open.rate / bare.rate, open.cpuMs / bare.cpuMs];
    rates.push(rate);
    times.push(cpu);
    const took = Number.isFinite(cpu) ? `, processor time ${cpu.toFixed(3)}` : "";
    tell(`round ${n + 1} of ${rounds}: throughput ${rate.toFixed(3)}${took} of that without pages`);
  }
  const as = `with ${PAGES} pages open, as a share of that without`;
  return [
    `the fleet's throughput ${as}: ${shares(rates)}`,
    ...(usageMissing() === undefined
      ? [`processor time a job, of server, node and dashboard, ${as}: ${shares(times)}`]
      : []),
  ];
}

function shares(measured: readonly number[]): string {
  const { median, from, to, confidence } = medianOf(measured);
  const [least, most] = [Math.min(...measured), Math.max(...measured)];
  const sure = `the median lies between ${from.toFixed(3)} and ${to.toFixed(3)} with ${(100 * confidence).toFixed(0)} % confidence`;
  return `${median.toFixed(3)} (${sure}, all between ${least.toFixed(3)} and ${most.toFixed(3)})`;
}

function cpuOf(pids: readonly number[]): number {
  if (usageMissing() !== undefined) return 0;
  return pids.reduce((sum, pid) => sum + readUsage(pid).cpuMs, 0);
}
