/**
 * Microseconds of processor time that each of Millrace's jobs costs more, to see the guard fail.
 * Set by its test.
 */
const BURN_US = Number(process.env["MILLRACE_BENCH_BURN_US"] ?? 0);
/** The system counts processor time in steps of some milliseconds. */
const CALIBRATION_US = 100_000;
const CHUNK = 100_000;

const turnsPerUs = BURN_US === 0 ? 0 : calibrate();

/** Uses up the processor time of so many jobs; nothing where none is asked for. */
export function burn(jobs = 1): void {
  spin(jobs * BURN_US * turnsPerUs);
}

function calibrate(): number {
  let turns = 0;
  const began = usedUs();
  while (usedUs() - began < CALIBRATION_US) turns += spin(CHUNK);
  return turns / (usedUs() - began);
}

function spin(turns: number): number {
  let state = 1;
  for (let turn = 0; turn < turns; turn += 1) state = (state * 48_271) % 2_147_483_647;
  // Looked at, so that the loop isn't left out.
  if (state === 0) throw new Error("a multiplier of a prime field never gives 0");
  return turns;
}

/** Of this thread: what others do on the machine isn't in it. */
function usedUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
