import { defineJob, type Middleware, type RetryOptions } from "millrace";

/**
 * A retry policy of one's own: a function that is told what failed and says how long to wait, or
 * "never".
 */
const polite: RetryOptions = {
  attempts: 4,
  backoff: ({ attempts, error }) => {
    if (error.message.startsWith("404")) return "never";
    return error.message.startsWith("429") ? "10m" : `${attempts}s`;
  },
  max: "10m",
  jitter: false,
};

export const fetchPage = defineJob<{ url: string }>({ name: "page.fetch", retry: polite });

/** Wraps every attempt of every job on a node: here, one line about how it ended. */
export function reported(report: (line: string) => void): Middleware {
  return async ({ job, attempt }, next) => {
    try {
      const result = await next();
      report(`${job.name} attempt ${attempt}: done`);
      return result;
    } catch (error) {
      report(
        `${job.name} attempt ${attempt}: ${error instanceof Error ? error.message : "failed"}`,
      );
      throw error; // swallowed here, the attempt would count as a success
    }
  };
}
