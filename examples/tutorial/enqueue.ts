import { connect } from "millrace";
import { welcome } from "./jobs.ts";

const user = process.argv[2] ?? "ada";
const millrace = await connect();
try {
  const job = await millrace.enqueue(welcome, { user }, { id: `welcome-${user}` });
  console.log(`Enqueued ${job.id}.`);
  console.log("Result:", await job.result({ timeout: "30s" }));
} finally {
  await millrace.close();
}
