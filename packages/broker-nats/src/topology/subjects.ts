import { type Lane, requireNamespace } from "@millrace/core";

/** What a queue's subject says about a message on it. */
export interface QueueSubject {
  readonly origin: "producer" | "runtime";
  readonly queue: string;
  readonly lane: Lane | undefined;
}

/** Every name Millrace uses on a server, made from the namespace. No other file puts a subject together. */
export class Names {
  readonly namespace: string;
  readonly queueStreamPrefix: string;
  readonly delayedStream: string;
  readonly deadStream: string;
  readonly historyStream: string;
  readonly batchStream: string;
  readonly batchAll: string;
  readonly whoRuns: string;
  /** The subject of holders: a message on it waits, and no consumer may match it. */
  readonly delayedAll: string;
  readonly dueAll: string;
  readonly deadAll: string;
  readonly historyAll: string;
  readonly jobsAll: string;
  readonly #jobs: string;
  readonly #requeue: string;

  /** @throws MillraceError `invalid-name` */
  constructor(namespace: string) {
    const ns = requireNamespace(namespace);
    this.namespace = ns;
    this.queueStreamPrefix = `${ns}-queue-`;
    this.delayedStream = `${ns}-delayed`;
    this.deadStream = `${ns}-dead`;
    this.historyStream = `${ns}-history`;
    this.batchStream = `${ns}-batches`;
    this.batchAll = `${ns}.batch.>`;
    this.whoRuns = `${ns}.ctl.who-runs`;
    this.delayedAll = `${ns}.delayed.>`;
    this.dueAll = `${ns}.due.>`;
    this.deadAll = `${ns}.dead.>`;
    this.historyAll = `${ns}.history.>`;
    this.jobsAll = `${ns}.jobs.>`;
    this.#jobs = `${ns}.jobs.`;
    this.#requeue = `${ns}.requeue.`;
  }

  queueStream(queue: string): string {
    return this.queueStreamPrefix + queue;
  }

  /** What the queue's stream stores: the producers' door and the runtime's, each with its lanes. */
  queueSubjects(queue: string): string[] {
    const doors = [this.#jobs + queue, this.#requeue + queue];
    return doors.flatMap((door) => [door, `${door}.>`]);
  }

  jobs(queue: string, lane: Lane | undefined): string {
    return lane === undefined ? this.#jobs + queue : `${this.#jobs}${queue}.${lane}`;
  }

  requeue(queue: string, lane: Lane | undefined): string {
    return lane === undefined ? this.#requeue + queue : `${this.#requeue}${queue}.${lane}`;
  }

  /** An unknown lane is the normal one: a producer's slip must not make a job unreachable. */
  readQueueSubject(subject: string): QueueSubject | undefined {
    const producer = subject.startsWith(this.#jobs);
    if (!producer && !subject.startsWith(this.#requeue)) return undefined;
    const rest = subject.slice((producer ? this.#jobs : this.#requeue).length);
    const dot = rest.indexOf(".");
    const token = dot < 0 ? undefined : rest.slice(dot + 1);
    return {
      origin: producer ? "producer" : "runtime",
      queue: dot < 0 ? rest : rest.slice(0, dot),
      lane: token === "high" || token === "low" ? token : undefined,
    };
  }

  /** Where a delayed job's schedule is held. `*` for what is not known. */
  delayed(queue: string, id: string, generation: number | "*"): string {
    return `${this.namespace}.delayed.${queue}.${id}.${generation}`;
  }

  /** Where a delayed job goes when it is due, or is parked where the server has no schedules. */
  due(queue: string, id: string, generation: number | "*"): string {
    return `${this.namespace}.due.${queue}.${id}.${generation}`;
  }

  /** All of a queue's delayed jobs: those held by a schedule, and those parked or on their way. */
  delayedOf(queue: string): string[] {
    return [`${this.namespace}.delayed.${queue}.>`, `${this.namespace}.due.${queue}.>`];
  }

  dead(queue = "*", id = "*"): string {
    return `${this.namespace}.dead.${queue}.${id}`;
  }

  history(queue = "*", id = "*", state = "*"): string {
    return `${this.namespace}.history.${queue}.${id}.${state}`;
  }

  batch(batch: string): string {
    return `${this.namespace}.batch.${batch}`;
  }

  /** A job that has not ended. */
  batchMember(batch: string, id: string): string {
    return `${this.namespace}.batch.${batch}.job.${id}`;
  }

  /** A job that has. */
  batchEnded(batch: string, id: string): string {
    return `${this.namespace}.batch.${batch}.ended.${id}`;
  }

  /** Where the release of a lock is told to those who wait for it. */
  lockReleased(key: string): string {
    return `${this.namespace}.ctl.lock-released.${key}`;
  }

  /** The name of a KV bucket; its stream is `KV_<bucket>`. */
  bucket(name: string): string {
    return `${this.namespace}-${name}`;
  }
}

/** The one durable consumer of each queue's stream. All nodes share it, so a job has one holder. */
export const QUEUE_CONSUMER = "workers";
/** The one durable consumer of the delayed stream. */
export const MOVER_CONSUMER = "mover";
