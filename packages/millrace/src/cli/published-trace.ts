import { type Instrumentation, type JobRef, traceIdOf } from "@millrace/core";

/** The trace in which a job was published here; undefined of another job. */
export type PublishedTrace = (job: JobRef) => string | undefined;

/** As given, and it can be asked for the trace of the job that was published last. */
export function rememberTrace(instrumentation: Instrumentation): {
  readonly instrumentation: Instrumentation;
  readonly publishedTrace: PublishedTrace;
} {
  let last: (JobRef & { readonly traceId: string | undefined }) | undefined;
  return {
    instrumentation: {
      ...instrumentation,
      publish: (publication, send) =>
        instrumentation.publish(publication, (envelopes) => {
          const job = envelopes.at(-1);
          if (job !== undefined)
            last = { id: job.id, queue: job.queue, traceId: traceIdOf(job.headers) };
          return send(envelopes);
        }),
    },
    publishedTrace: ({ id, queue }) =>
      last?.id === id && last.queue === queue ? last.traceId : undefined,
  };
}
