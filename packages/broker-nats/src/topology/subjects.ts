import {
  isId,
  isMachineId,
  isMachineName,
  isQueueName,
  type JobRef,
  type MachineRef,
  requireNamespace,
  type RunRef,
  type SignalRef,
} from "@millrace/core";
import { INBOX_DOORS, type InboxDoor } from "./inbox-doors.ts";
import { QueueSubjects } from "./queue-subjects.ts";

/**
 * Every name Millrace uses on a server, made from the namespace. No other file but that of the
 * queues' subjects puts a subject together.
 */
export class Names extends QueueSubjects {
  readonly namespace: string;
  readonly queueStreamPrefix: string;
  readonly delayedStream: string;
  readonly deadStream: string;
  readonly historyStream: string;
  readonly blockedStream: string;
  readonly batchStream: string;
  readonly batchAll: string;
  readonly progressStream: string;
  readonly journalStream: string;
  readonly journalAll: string;
  readonly signalStream: string;
  readonly signalAll: string;
  readonly inboxStream: string;
  readonly inboxAll: readonly string[];
  readonly timerStream: string;
  readonly timerAll: readonly string[];
  readonly jobLogStream: string;
  readonly jobLogAll: string;
  readonly whoRuns: string;
  readonly running: string;
  /** Where those who wait for locks are asked. */
  readonly lockWaiting: string;
  /** The subject of holders: a message on it waits, and no consumer may match it. */
  readonly delayedAll: string;
  readonly dueAll: string;
  readonly deadAll: string;
  readonly historyAll: string;
  /** Nothing is ever published on it. */
  readonly nothing: string;
  readonly progressAll: string;
  readonly blockedAll: string;
  readonly requeueAll: string;
  readonly jobsAll: string;

  /** @throws MillraceError `invalid-name` */
  constructor(namespace: string) {
    const ns = requireNamespace(namespace);
    super(ns);
    this.namespace = ns;
    this.queueStreamPrefix = `${ns}-queue-`;
    this.delayedStream = `${ns}-delayed`;
    this.deadStream = `${ns}-dead`;
    this.historyStream = `${ns}-history`;
    this.blockedStream = `${ns}-blocked`;
    this.batchStream = `${ns}-batches`;
    this.batchAll = `${ns}.batch.>`;
    this.progressStream = `${ns}-progress`;
    this.journalStream = `${ns}-journal`;
    this.journalAll = `${ns}.journal.>`;
    this.signalStream = `${ns}-signals`;
    // No more and no fewer tokens than a signal has: whatever else is published is refused.
    this.signalAll = `${ns}.signal.*.*.*`;
    this.inboxStream = `${ns}-inbox`;
    this.inboxAll = [`${ns}.inbox.*.*`, `${ns}.mend.*.*`];
    this.timerStream = `${ns}-timers`;
    this.timerAll = [`${ns}.mtick.*.*`, `${ns}.mtimer.*.*`];
    this.jobLogStream = `${ns}-logs`;
    this.jobLogAll = `${ns}.log.>`;
    this.whoRuns = `${ns}.ctl.who-runs`;
    this.running = `${ns}.ctl.running`;
    this.lockWaiting = `${ns}.ctl.lock-waiting`;
    this.delayedAll = `${ns}.delayed.>`;
    this.dueAll = `${ns}.due.>`;
    this.deadAll = `${ns}.dead.>`;
    this.historyAll = `${ns}.history.>`;
    this.nothing = `${ns}.nothing`;
    this.progressAll = `${ns}.progress.>`;
    this.blockedAll = `${ns}.blocked.>`;
    this.requeueAll = `${ns}.requeue.>`;
    this.jobsAll = `${ns}.jobs.>`;
  }

  queueStream(queue: string): string {
    return this.queueStreamPrefix + queue;
  }

  /**
   * Where a delayed job's schedule is stored. `*` for what is not known.
   *
   * @param place `placeOf`
   */
  delayed(queue: string, id: string, place: string): string {
    return `${this.namespace}.delayed.${queue}.${id}.${place}`;
  }

  /** Where a delayed job goes when it is due, or is postponed where the server has none. */
  due(queue: string, id: string, place: string): string {
    return `${this.namespace}.due.${queue}.${id}.${place}`;
  }

  readDue(
    subject: string,
  ): { readonly queue: string; readonly id: string; readonly place: string } | undefined {
    const start = `${this.namespace}.due.`;
    if (!subject.startsWith(start)) return undefined;
    const [queue = "", id = "", place = ""] = subject.slice(start.length).split(".");
    return { queue, id, place };
  }

  /** Where a job of this id waits for its time, in either form. */
  delayedOrDue(queue: string, id: string): string {
    return `${this.namespace}.*.${queue}.${id}.*`;
  }

  /** All of a queue's delayed jobs: those with a schedule, and those postponed or on their way. */
  delayedOf(queue: string): string[] {
    return [`${this.namespace}.delayed.${queue}.>`, `${this.namespace}.due.${queue}.>`];
  }

  /**
   * Where jobs wait at a gate. One subject for all of them, so that counting and finding the oldest
   * follow the number of gates and not of jobs.
   *
   * @param token `gateToken` of the gate's name; `>` for all of the queue's
   */
  blocked(queue: string, token: string): string {
    return `${this.namespace}.blocked.${queue}.${token}`;
  }

  /** @returns undefined for another subject */
  readBlockedSubject(
    subject: string,
  ): { readonly queue: string; readonly token: string } | undefined {
    const [queue, token] = tokensAfter(`${this.namespace}.blocked.`, 2, subject) ?? [];
    return queue === undefined || token === undefined ? undefined : { queue, token };
  }

  dead(queue = "*", id = "*"): string {
    return `${this.namespace}.dead.${queue}.${id}`;
  }

  /** @returns undefined for a subject that no dead letter can be on */
  readDead(subject: string): JobRef | undefined {
    const [queue, id] = tokensAfter(`${this.namespace}.dead.`, 2, subject) ?? [];
    return queue === undefined || id === undefined ? undefined : { queue, id };
  }

  /**
   * @param kind a requeue, or an end: all ends of a job lie on one subject, so that the server can
   *   tell whether there is one
   */
  history(queue = "*", id = "*", kind: "requeued" | "ended" | "*" = "*"): string {
    return `${this.namespace}.history.${queue}.${id}.${kind}`;
  }

  isHistory(subject: string): boolean {
    return tokensAfter(`${this.namespace}.history.`, 3, subject) !== undefined;
  }

  batch(batch: string): string {
    return `${this.namespace}.batch.${batch}`;
  }

  /** A job that has not ended; `>` for all. */
  batchMember(batch: string, token: string): string {
    return `${this.namespace}.batch.${batch}.job.${token}`;
  }

  /** A job that has; `>` for all. */
  batchEnded(batch: string, token: string): string {
    return `${this.namespace}.batch.${batch}.ended.${token}`;
  }

  /** @returns the batch of whose message or job this is the subject */
  readBatch(subject: string): string | undefined {
    return subject.slice(this.batch("").length).split(".")[0];
  }

  /** Where the release of a lock is told to those who wait for it. */
  lockReleased(key: string): string {
    return `${this.namespace}.ctl.lock-released.${key}`;
  }

  /** Where one that asked who waits for locks is told. */
  lockWaiters(token: string): string {
    return `${this.namespace}.ctl.lock-waiters.${token}`;
  }

  /**
   * A mark in the queue's own stream, which no consumer takes; `>` for all of the queue's.
   *
   * @param name whose it is
   */
  mark(queue: string, name: string): string {
    return `${this.namespace}.mark.${queue}.${name}`;
  }

  isMark(subject: string): boolean {
    return subject.startsWith(`${this.namespace}.mark.`);
  }

  progress(queue: string, id: string): string {
    return `${this.namespace}.progress.${queue}.${id}`;
  }

  /** What handlers logged in a job. */
  jobLog(queue: string, id: string): string {
    return `${this.namespace}.log.${queue}.${id}`;
  }

  /**
   * What is recorded of a job's step.
   *
   * @param step `>` for all
   */
  journalStep({ queue, id, createdAt }: RunRef, step: string): string {
    return `${this.namespace}.journal.${queue}.${id}.${Math.floor(createdAt)}.${step}`;
  }

  /** Where signals of one name for one job are stored; `*` for what is not known. */
  signal({ queue, id, name }: SignalRef): string {
    return `${this.namespace}.signal.${queue}.${id}.${name}`;
  }

  /** @returns undefined for a subject that no job's signal can be on */
  readSignal(subject: string): SignalRef | undefined {
    const start = `${this.namespace}.signal.`;
    if (!subject.startsWith(start)) return undefined;
    const [queue, id, name] = subject.slice(start.length).split(".");
    return isQueueName(queue) && isId(id) && isId(name) ? { queue, id, name } : undefined;
  }

  /**
   * What comes to a durable machine.
   *
   * @param door `inbox` for whoever may send it events, `mend` for the ends of its jobs, `mtick`
   *   for timers that are due, and `mtimer` for those that the server keeps until then
   */
  toMachine(door: InboxDoor, { machine, id }: MachineRef): string {
    return `${this.namespace}.${door}.${machine}.${id}`;
  }

  /** What the hosts of one name's machines take: all but what the server keeps. */
  machineFilters(machine: string, from: "inbox" | "timers"): string[] {
    const doors = from === "inbox" ? (["inbox", "mend"] as const) : (["mtick"] as const);
    return doors.map((door) => this.toMachine(door, { machine, id: "*" }));
  }

  /** @returns undefined for a subject that nothing to a machine can be on */
  readToMachine(subject: string): (MachineRef & { readonly door: InboxDoor }) | undefined {
    const [door, machine, id] = subject.slice(this.namespace.length + 1).split(".");
    const known = INBOX_DOORS.find((one) => one === door);
    return known !== undefined && isMachineName(machine) && isMachineId(id)
      ? { door: known, machine, id }
      : undefined;
  }

  /** The name of a KV bucket; its stream is `KV_<bucket>`. */
  bucket(name: string): string {
    return `${this.namespace}-${name}`;
  }
}

/** @returns undefined for a subject that begins otherwise, or has more tokens or fewer */
function tokensAfter(prefix: string, count: number, subject: string): string[] | undefined {
  if (!subject.startsWith(prefix)) return undefined;
  const tokens = subject.slice(prefix.length).split(".");
  return tokens.length === count ? tokens : undefined;
}
