import { DBOS } from "@dbos-inc/dbos-sdk";
import { createDatabase } from "../systems/own-database.ts";
import { AT_ONCE, resultOf, type StepContender, together } from "./contender.ts";

const SILENT = { info: () => {}, debug: () => {}, warn: () => {}, error: () => {} };

/** Workflows of DBOS in this process, their steps in PostgreSQL. */
export async function dbosSteps(servers: string): Promise<StepContender> {
  const database = await createDatabase(servers, "bench-dbos");
  let began: number[] | undefined;
  const workflow = DBOS.registerWorkflow(
    async (steps: number): Promise<void> => {
      for (let n = 0; n < steps; n += 1)
        await DBOS.runStep(
          () => {
            began?.push(performance.now());
            return Promise.resolve(resultOf(n));
          },
          { name: "step" },
        );
    },
    { name: "bench-steps" },
  );
  DBOS.setConfig({
    ...{ name: "bench", systemDatabaseUrl: database.url, systemDatabasePoolSize: AT_ONCE },
    ...{ runAdminServer: false, logger: SILENT },
  });
  await DBOS.launch();
  return {
    name: "DBOS",
    run: (jobs, steps) => together(jobs, () => workflow(steps)),
    beganAt: async (steps) => {
      began = [];
      await workflow(steps);
      return began;
    },
    [Symbol.asyncDispose]: async () => {
      await DBOS.shutdown();
      await database[Symbol.asyncDispose]();
    },
  };
}
