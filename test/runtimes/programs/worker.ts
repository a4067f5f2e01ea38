// A node as an application has it; the address comes from the environment. Bundled by the tests.
import { createNode, defineJob } from "millrace";

const hello = defineJob<{ n: number }, { n: number }, string>({ name: "hello", queue: "runtimes" });

async function main(): Promise<void> {
  const jobs = [hello.handler(({ input }) => `hello ${input.n}`)];
  const node = await createNode({ jobs, graceMs: 1_000 });
  await node.start();
  console.log("the node runs");
  process.on("SIGTERM", () => void node.stop().then(() => process.exit(0)));
}

main().catch((error: unknown) => {
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  process.exit(1);
});
