// One contender of one scenario, in a process of its own: what ran before it in a shared one would
// have shaped the engine's code and heap. The engine is set as `millrace run` sets it, for whoever
// is measured. Prints its figure as JSON. Started by main.ts.
import { tuneEngine } from "millrace";
import { contendersOf } from "./scenarios/scenario.ts";
import { SCENARIOS } from "./scenarios/scenarios.ts";

tuneEngine();
const [name, contender, url, namespace, amount] = process.argv.slice(2);
const scenario = SCENARIOS.find((each) => each.name === name);
const found = scenario && contendersOf(scenario).find((each) => each.name === contender);
if (found === undefined || url === undefined || namespace === undefined)
  throw new Error(`no contender ${contender} of ${name}`);
process.stdout.write(JSON.stringify(await found.run({ url, namespace, amount: Number(amount) })));
