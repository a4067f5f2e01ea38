import { LANE_CONSUMERS, type LaneName } from "@millrace/core";
import { laneConsumer } from "../reads/lane-consumer.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { Names } from "./subjects.ts";

/**
 * Has the queue take jobs on subjects of their own, once every consumer that it has takes them: a
 * message that no consumer's filters name is skipped. A closed queue stays closed.
 */
export async function openKeyedDoor(
  server: Pick<ServerAccess, "jsm" | "names">,
  queue: string,
): Promise<void> {
  const { jsm, names } = server;
  const stream = names.queueStream(queue);
  const { config } = await jsm.streams.info(stream);
  if (!lacksKeyedDoor(config.subjects, names, queue)) return;
  if (!(await takeKeyedJobs(server, queue))) return;
  const wanted = names.queueSubjects(queue);
  const others = config.subjects.filter((subject) => !wanted.includes(subject));
  await jsm.streams.update(stream, { ...config, subjects: [...wanted, ...others] });
}

/** Whether every consumer that the queue has takes jobs on subjects of their own. */
export async function takeKeyedJobs(
  server: Pick<ServerAccess, "jsm" | "names">,
  queue: string,
): Promise<boolean> {
  const { names } = server;
  const stream = names.queueStream(queue);
  const lanes = Object.entries(LANE_CONSUMERS) as [LaneName, string][];
  const know = await Promise.all(
    lanes.map(async ([lane, consumer]) => {
      const info = await laneConsumer(server, stream, consumer);
      const filters = info?.config.filter_subjects ?? names.laneFilters(queue, lane);
      return names.keyedDoor(queue).some((pattern) => filters.includes(pattern));
    }),
  );
  return know.every(Boolean);
}

/** Of a queue that is open. */
export function lacksKeyedDoor(subjects: readonly string[], names: Names, queue: string): boolean {
  return (
    subjects.includes(names.jobs(queue, undefined)) &&
    names.keyedDoor(queue).some((pattern) => !subjects.includes(pattern))
  );
}
