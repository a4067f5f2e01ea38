import { readCommandLine } from "../command-line.ts";
import { missing, startServers } from "../servers/bench-servers.ts";
import { bareSteps } from "./bare-steps.ts";
import { AT_ONCE, type StepContender, TIMED } from "./contender.ts";
import { dbosSteps } from "./dbos-steps.ts";
import { millraceSteps } from "./millrace-steps.ts";
import { stepless } from "./stepless.ts";

/**
 * What durable steps cost: recorded steps a second and the time from one step to the next, beside
 * the bare publish with compare that each rests on and beside DBOS on PostgreSQL, in one run. All
 * three confirm a step before it is synced to the disk. And what a job without steps pays for them.
 *
 *     pnpm bench:steps [--jobs 200] [--steps 20] [--rounds 3]
 */
const { jobs, steps, rounds } = readCommandLine({
  command: "pnpm bench:steps",
  about:
    "Measures recorded steps beside the bare publish with compare that each rests on, and beside DBOS\non PostgreSQL where that is installed.",
  options: {
    jobs: { count: 200, says: "jobs of each system in a round" },
    steps: { count: 20, says: "steps of a job" },
    rounds: { count: 3, says: "rounds, in each of which the systems take turns" },
  },
});

await using servers = await startServers(new Set(["postgres"]), "page-cache", "newest");
await using open = new AsyncDisposableStack();
const nats = servers.url("nats") ?? "";
const postgres = servers.url("postgres");
const bare = open.use(await bareSteps(nats));
const own = open.use(await millraceSteps(nats));
const dbos = postgres === undefined ? undefined : open.use(await dbosSteps(postgres));
const all = [bare, own, ...(dbos === undefined ? [] : [dbos])];

say(`nats-server ${servers.natsVersion}; ${jobs} jobs of ${steps} steps, ${AT_ONCE} at once`);
if (dbos === undefined) say(`without DBOS: ${missing("postgres") ?? "there is no PostgreSQL"}`);
const rates = new Map<StepContender, number[]>(all.map((one) => [one, []]));
// Each warms up in the first round, which is not counted.
for (let round = 0; round <= rounds; round += 1)
  for (const one of round % 2 === 0 ? all : all.toReversed()) {
    const began = performance.now();
    await one.run(jobs, steps);
    const seconds = (performance.now() - began) / 1_000;
    if (round > 0) rates.get(one)?.push((jobs * steps) / seconds);
  }
for (const one of all) {
  const began = await one.beganAt(TIMED);
  const times = began.slice(1).map((at, n) => at - (began[n] ?? at));
  say(
    `${one.name}: ${Math.round(rateOf(one)).toLocaleString("en")} steps a second; one job alone, from step to step: p50 ${quantile(times, 0.5).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
  );
}
say(`Millrace: ${(rateOf(own) / rateOf(bare)).toFixed(2)} of the bare loop's rate`);
if (dbos !== undefined)
  say(`Millrace: ${(rateOf(own) / rateOf(dbos)).toFixed(2)} times DBOS' rate`);
const { hooksNs, jobUs } = await stepless();
say(
  `a job without steps: ${hooksNs.toFixed(0)} ns of the ${jobUs.toFixed(1)} µs that the runtime takes for it look whether it has to do with steps or machines, ${((hooksNs / jobUs) * 0.1).toFixed(2)} %`,
);

function rateOf(one: StepContender): number {
  return quantile(rates.get(one) ?? [], 0.5);
}

function quantile(of: readonly number[], share: number): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
