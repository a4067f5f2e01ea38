import { defineJob } from "millrace";

export const QUEUE = "cancel";

/** What the jobs of these tests are told to do. */
export interface Task {
  /**
   * `heed`: until the signal is aborted. `ignore`: for ever, whatever the signal says. `quick`:
   * nothing. `spin`: keeps its thread busy until the end of time. `report`: the progress that the
   * test tells it, until it is done.
   */
  readonly do: "heed" | "ignore" | "quick" | "spin" | "report";
}

export const task = defineJob<Task>({
  name: "cancel.task",
  queue: QUEUE,
  grace: "300ms",
  timeout: "10m",
  retry: "none",
});

/** The same with time to kill its node in the grace. */
export const patient = defineJob<Task>({
  name: "cancel.patient",
  queue: QUEUE,
  grace: "1m",
  timeout: "10m",
  retry: "none",
});
