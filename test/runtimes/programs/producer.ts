// A producer as an application has it; the address comes from the environment.
import { connect, defineJob } from "millrace";

const hello = defineJob<{ n: number }, { n: number }, string>({ name: "hello", queue: "runtimes" });

async function main(): Promise<void> {
  const millrace = await connect();
  const handle = await millrace.enqueue(hello, { n: 1 });
  console.log(await handle.result({ timeout: "1m" }));
  await millrace.close();
}

main().catch((error: unknown) => {
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  process.exit(1);
});
