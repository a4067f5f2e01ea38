/** Microseconds of processor time that each of Millrace's jobs costs more, to see the guard fail. Set by its test. */
const BURN_US = Number(process.env["MILLRACE_BENCH_BURN_US"] ?? 0);

/** Uses up the processor time of so many jobs; nothing where none is asked for. */
export function burn(jobs = 1): void {
  if (BURN_US === 0) return;
  const until = usedUs() + jobs * BURN_US;
  while (usedUs() < until);
}

/** Of this thread: what others do on the machine isn't in it. */
function usedUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
