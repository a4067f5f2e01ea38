import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const LOOP = fileURLToPath(new URL("../runtime/memory-loop.ts", import.meta.url));
const LOOKS = fileURLToPath(new URL("./looks-program.ts", import.meta.url));
const JOBS = 50_000;
/** A look costs 20 ns in one process and 40 in the next, by how it was compiled there. */
const PROCESSES = 3;

export interface Stepless {
  /** What looking costs whether a settled job has to do with steps or machines, at its best. */
  readonly hooksNs: number;
  /** What the runtime takes for a job on a broker that does nothing, at its best. */
  readonly jobUs: number;
}

/**
 * What steps and machines cost a job that has to do with neither: each settlement asks three hooks,
 * also on a node that has other jobs with steps. There is nothing else.
 *
 * Both are measured in processes that do nothing else. In this one other systems have run, whose
 * calls make the same code slower.
 */
export async function stepless(): Promise<Stepless> {
  const { stdout } = await run(process.execPath, [LOOP, String(JOBS)]);
  const [, jobUs] = /^a node at its best +([\d.]+) µs/m.exec(stdout) ?? [];
  if (jobUs === undefined) throw new Error(`no figure in: ${stdout}`);
  const looks: number[] = [];
  while (looks.length < PROCESSES)
    looks.push(Number((await run(process.execPath, [LOOKS])).stdout));
  return { hooksNs: Math.min(...looks), jobUs: Number(jobUs) };
}
