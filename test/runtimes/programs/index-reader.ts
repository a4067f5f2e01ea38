// An index of jobs as an application keeps it. Node's own SQLite is not the same in each version.
import { connect, openJobIndex } from "millrace";

async function main(): Promise<void> {
  const client = await connect();
  const namespace = process.env["MILLRACE_NAMESPACE"] ?? "";
  const index = await openJobIndex({
    ...{ broker: client.broker, mask: client.mask, namespace, path: "jobs.db" },
  });
  await index.caughtUp();
  const { jobs } = await index.search({ where: "queue:runtimes" });
  const [rate] = await index.rates({ since: 0, stepMs: 60_000 });
  console.log(
    `${jobs[0]?.name} ended ${rate?.succeeded === 1 ? "once" : "?"}, as ${jobs[0]?.state}`,
  );
  await index.close();
  await client.close();
}

main().catch((error: unknown) => {
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  process.exit(1);
});
