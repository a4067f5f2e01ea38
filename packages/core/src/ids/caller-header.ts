import { type Called, calledBy, isCalled } from "./called-id.ts";
import type { SaidBesideBody } from "./generation-ids.ts";
import { invokedBy, isInvoked } from "./invoked-id.ts";
import { isId, isQueueName } from "./names.ts";

/**
 * Who waits for a job's end, beside the body, which a node may not be able to decode. Only on what
 * the runtime or a trusted program publishes: on a producer's door it says nothing.
 */
export const CALLER_HEADER = "Millrace-Caller";

const RECEIVED = CALLER_HEADER.toLowerCase();
/** The job's own id says which. */
const MACHINE = "machine";

/** @returns undefined for a job that no step has called and no machine has invoked */
export function callerOf(job: Called): string | undefined {
  const parent = calledBy(job);
  if (parent !== undefined) return `${parent.queue}/${parent.id}`;
  return invokedBy(job) === undefined ? undefined : MACHINE;
}

/** The header as it was received, for a message that is handed on as it is. */
export function callerHeader(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const caller = headers[RECEIVED];
  return caller === undefined ? {} : { [CALLER_HEADER]: caller };
}

/**
 * What is known of a job's caller where its body can't be decoded. Ids of called and invoked jobs
 * may be a producer's choice: on the runtime's own door only the header tells that they are not.
 */
export function callerTies(
  { origin, queue, headers }: SaidBesideBody,
  id: string,
): Omit<Called, "id"> {
  if (origin === "producer" || !(isCalled({ id }) || isInvoked({ id }))) return {};
  const caller = headers[RECEIVED];
  if (caller === undefined) return origin === "program" ? {} : { sentFrom: queue };
  const [parentQueue, parentId] = caller.split("/", 2);
  return isQueueName(parentQueue) && isId(parentId)
    ? { parent: { id: parentId, queue: parentQueue } }
    : {};
}
