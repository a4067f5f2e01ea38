// What the long runs of faults are asked for, checked before anything is started.

/**
 * Ends with 2 at the first value that can't be used.
 *
 * @param {string} command for messages
 * @param {Readonly<Record<string, string | boolean | undefined>>} values as `parseArgs` read them
 */
export function refuseUnusable(command, values) {
  const problem = problemOf(values);
  if (problem === undefined) return;
  console.error(`${command}: ${problem}`);
  process.exit(2);
}

function problemOf({ minutes, rate, seed, from, server }) {
  for (const [name, value] of Object.entries({ minutes, rate }))
    if (value !== undefined && !(Number(value) > 0 && Number.isFinite(Number(value))))
      return `--${name} must be a number above 0; got ${value}.`;
  if (seed !== undefined && !/^\d+$/.test(seed))
    return `--seed must be a whole number from 0; got ${seed}.`;
  if (!/^\d+$/.test(from)) return `--from must be the number of a phase, from 0; got ${from}.`;
  if (Number(from) > 0 && seed === undefined)
    return "--from needs a --seed: another seed has other phases.";
  if (server !== "newest" && server !== "2.10")
    return `--server must be newest or 2.10; got ${server}.`;
  return undefined;
}
