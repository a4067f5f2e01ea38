// Keeps an index of jobs up to date until it is killed, and says what is in it when it is asked.
// Arguments: the server's URL, the namespace, the database's URL.
import { connect, openJobIndex } from "millrace";

const [servers = "", namespace = "", postgres = ""] = process.argv.slice(2);
const client = await connect({ servers, namespace, env: {} });
const { broker, mask } = client;
const index = await openJobIndex({ broker, mask, namespace, postgres });

process.on("message", () => void tell());

async function tell(): Promise<void> {
  await index.caughtUp();
  const failures = await index.failures();
  const { jobs } = await index.status();
  process.send?.({ jobs, failures: failures.reduce((sum, one) => sum + one.failures, 0) });
}
