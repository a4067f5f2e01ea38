// One contender of one scenario, in a process of its own: what ran before it in a shared one would have shaped the
// engine's code and heap. Prints its figure as JSON. Started by main.ts.
import { SCENARIOS } from "./scenarios/scenarios.ts";

const [scenario, contender, url, namespace, amount] = process.argv.slice(2);
const found = SCENARIOS.find(({ name }) => name === scenario)?.contenders.find(
  ({ name }) => name === contender,
);
if (found === undefined || url === undefined || namespace === undefined)
  throw new Error(`no contender ${contender} of ${scenario}`);
process.stdout.write(JSON.stringify(await found.run({ url, namespace, amount: Number(amount) })));
