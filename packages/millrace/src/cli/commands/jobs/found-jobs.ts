import { defined } from "@millrace/core";
import type { Config } from "../../../config/fields.ts";
import { maskOf } from "../../../config/mask-of.ts";
import type { IndexedJob } from "../../../search/indexed-job.ts";
import { configuredIndex } from "../../../search/configured-index.ts";
import { openJobIndex } from "../../../search/job-index.ts";
import type { Report } from "../../command.ts";
import { table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";
import { traceColumns } from "../../show/trace.ts";
import { RECORDED_COLUMNS } from "./recorded-columns.ts";

/** What an index of jobs has, once it is as far as the streams are now. */
export async function foundJobs(
  config: Config,
  {
    state,
    queue,
    limit,
    where,
  }: {
    readonly state: string | undefined;
    readonly queue: string | undefined;
    readonly limit: number;
    readonly where: string | undefined;
  },
): Promise<Report> {
  const configured = configuredIndex(config);
  const jobs = await withClient(config, async (client) => {
    const { namespace } = config;
    const index = await openJobIndex({
      ...{ broker: client.broker, namespace, mask: maskOf(config) },
      ...configured,
    });
    try {
      await index.caughtUp();
      const found = await index.search({
        limit,
        ...defined({ where, queue }),
        ...(state === undefined ? {} : { state: state as IndexedJob["state"] }),
      });
      return found.jobs;
    } finally {
      await index.close();
    }
  });
  return {
    json: jobs,
    text: (paint) =>
      jobs.length === 0
        ? "no job fits\n"
        : table([...RECORDED_COLUMNS, ...traceColumns(jobs, config.traceUrl)], jobs, paint),
  };
}
