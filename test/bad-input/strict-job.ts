import { defineJob, type Job, type Schema } from "@millrace/core";
import { JOB_NAME } from "./bad-messages.ts";

interface Letter {
  readonly to: string;
}

const letter: Schema<Letter> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const to: unknown =
        typeof value === "object" && value !== null && "to" in value ? value.to : undefined;
      return typeof to === "string"
        ? { value: { to } }
        : { issues: [{ message: "expected a text", path: ["to"] }] };
    },
  },
};

/** A job that any good message runs, on the queue given. */
export function strictJob(
  queue: string,
  onRun: (id: string, input: Letter) => void = () => {},
): Job<Letter> {
  return defineJob({ name: JOB_NAME, queue, input: letter }).handler(({ job, input }) =>
    onRun(job.id, input),
  );
}
