// One worker of the scenario `recovery`, in a process that can be killed: says over IPC when its
// handler has started, by the machine's monotonic clock, which is the same in every process. The
// handler never ends.
import { bareSystem } from "../bare/bare-system.ts";
import { millrace } from "../systems/millrace.ts";
import { PEERS } from "../systems/peers.ts";

const [name, url = "", namespace = ""] = process.argv.slice(2);
const system = [bareSystem, millrace, ...PEERS].find((each) => each.name === name);
if (system === undefined) throw new Error(`no system is called ${name}`);
const queue = await system.open(url, namespace);
await queue.work(() => {
  process.send?.({ startedNs: String(process.hrtime.bigint()) });
  return new Promise(() => {});
});
process.send?.({ ready: true });
