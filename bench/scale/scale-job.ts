import { defineJob, type JobDefinition } from "millrace";

/** `due`: when it was to start, in milliseconds since 1970, for a job whose lateness counts. */
export interface ScaleInput {
  readonly pad: string;
  readonly due?: number;
}

export const queueName = (n: number): string => `scale-${n}`;

/** The job of one queue; every queue has its own. */
export function scaleJob(queue: number): JobDefinition<ScaleInput> {
  return defineJob<ScaleInput>({ name: `scale.${queue}`, queue: queueName(queue) });
}
