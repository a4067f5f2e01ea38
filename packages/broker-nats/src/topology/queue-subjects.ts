import type { Lane, LaneName, MessageOrigin } from "@millrace/core";

/** What a queue's subject says about a message on it. */
export interface QueueSubject {
  readonly origin: MessageOrigin;
  readonly queue: string;
  readonly lane: Lane | undefined;
  /** A job that was blocked at a gate and let in. */
  readonly woken: boolean;
  /** The id of its job, where the subject is that job's own. */
  readonly key: string | undefined;
}

/** The subjects of a queue's jobs, made from the namespace. */
export class QueueSubjects {
  readonly #jobs: string;
  readonly #requeue: string;

  constructor(namespace: string) {
    this.#jobs = `${namespace}.jobs.`;
    this.#requeue = `${namespace}.requeue.`;
  }

  /**
   * What the queue's stream stores, and nothing beside it: the producers' door and the runtime's,
   * each with its lanes. So a publish to a lane that does not exist is refused as one to a queue
   * that does not exist is.
   */
  queueSubjects(queue: string): string[] {
    return [...this.intakeDoors(queue), ...this.runtimeDoor(queue)];
  }

  /** The producers' and the programs': away from a stream while its queue is closed. */
  intakeDoors(queue: string): string[] {
    return [...lanesOf(this.#jobs + queue), ...this.keyedDoor(queue), this.programDoor(queue)];
  }

  /** Of jobs on subjects of their own: open only where every consumer takes them. */
  keyedDoor(queue: string): string[] {
    return LANES.map((lane) => this.keyed(queue, lane, "*"));
  }

  /**
   * Where trusted programs enqueue what producers may not: chains into other queues. It lies where
   * the runtime's subjects do, which producers can't use. One for all lanes: the lane is in the
   * header `Millrace-Lane`, and the normal lane's consumer serves it.
   */
  programDoor(queue: string): string {
    return `${this.#requeue}${queue}.${PROGRAM}`;
  }

  runtimeDoor(queue: string): string[] {
    return [...lanesOf(this.#requeue + queue), this.requeueWoken(queue)];
  }

  /**
   * What one lane's consumer takes; no two lanes overlap, which a work queue demands. No token is a
   * pattern in one filter and a literal in another: a 2.10 server would skip messages for good.
   */
  laneFilters(queue: string, lane: LaneName): string[] {
    const own = lane === "normal" ? undefined : lane;
    const filters = [this.jobs(queue, own), this.keyed(queue, own, "*"), this.requeue(queue, own)];
    if (lane === "normal") filters.push(this.programDoor(queue));
    return lane === "high" ? [...filters, this.requeueWoken(queue)] : filters;
  }

  jobs(queue: string, lane: Lane | undefined): string {
    return lane === undefined ? this.#jobs + queue : `${this.#jobs}${queue}.${lane}`;
  }

  /**
   * The subject of one job alone, whose id is the key of what is to be done once: its queue's
   * stream can be asked for it, and takes a second one on a condition.
   *
   * @param id `*` for all jobs that have one
   */
  keyed(queue: string, lane: LaneName | undefined, id: string): string {
    return `${this.#jobs}${queue}.${lane ?? "normal"}.${id}`;
  }

  /** The same in whichever lane the job is. */
  keyedInAnyLane(queue: string, id: string): string {
    return `${this.#jobs}${queue}.*.${id}`;
  }

  requeue(queue: string, lane: Lane | undefined): string {
    return lane === undefined ? this.#requeue + queue : `${this.#requeue}${queue}.${lane}`;
  }

  /**
   * The door of jobs that waited at a gate and may run now. They are served with the high lane,
   * having waited once already; the lane they belong to is in the header `Millrace-Lane`.
   */
  requeueWoken(queue: string): string {
    return `${this.#requeue}${queue}.${WOKEN}`;
  }

  /** The lane whose consumer serves a subject, whichever one a header says that its job is in. */
  servingLane(subject: string): LaneName {
    const read = this.readQueueSubject(subject, {});
    return read?.woken === true ? "high" : (read?.lane ?? "normal");
  }

  /** Whether the subject is of the jobs' own ones, or the pattern of all that are in a lane. */
  isKeyed(subject: string): boolean {
    return this.readQueueSubject(subject, {})?.key !== undefined;
  }

  /**
   * A subject that stands for no lane, as an operator may have added it, is the normal lane's.
   *
   * @param headers keys in lower case
   */
  readQueueSubject(
    subject: string,
    headers: Readonly<Record<string, string>>,
  ): QueueSubject | undefined {
    const producer = subject.startsWith(this.#jobs);
    if (!producer && !subject.startsWith(this.#requeue)) return undefined;
    const rest = subject.slice((producer ? this.#jobs : this.#requeue).length);
    const [queue = "", token, key, more] = rest.split(".", 4);
    const keyed = producer && more === undefined && token !== undefined && KEYED.has(token);
    const woken = token === WOKEN && !producer && key === undefined;
    const program = token === PROGRAM && !producer && key === undefined;
    const named = key === undefined || keyed ? token : undefined;
    const lane = woken || program ? headers["millrace-lane"] : named;
    return {
      origin: producer ? "producer" : program ? "program" : "runtime",
      queue,
      lane: lane === "high" || lane === "low" ? lane : undefined,
      woken,
      key: keyed ? key : undefined,
    };
  }
}

const WOKEN = "woken";
const PROGRAM = "program";
const LANES = [undefined, "high", "low"] as const;
const KEYED: ReadonlySet<string> = new Set(["normal", "high", "low"]);

function lanesOf(door: string): string[] {
  return [door, `${door}.high`, `${door}.low`];
}
