import { runNode, stopOnSignals } from "millrace";
import { sendWelcome } from "./send-welcome.ts";

const worker = await runNode({
  jobs: [sendWelcome],
  onNode: stopOnSignals,
  healthPort: Number(process.env["PORT"] ?? 8090),
});
console.log("The worker runs.");
await worker.stopped;
console.log("The worker has stopped.");
