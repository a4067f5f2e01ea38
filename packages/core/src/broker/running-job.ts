/** Which of the jobs of an id is asked for. What is left out may be any. */
export interface MeantRun {
  readonly queue?: string | undefined;
  /** As its envelope has it. */
  readonly createdAt?: number | undefined;
}

export function isMeantRun(
  { queue, createdAt }: Pick<RunningJob, "queue" | "createdAt">,
  meant: MeantRun,
): boolean {
  return (
    (meant.queue === undefined || meant.queue === queue) &&
    (meant.createdAt === undefined || meant.createdAt === createdAt)
  );
}

/** Nodes that are known to be there, whose answers are waited for. */
export interface AwaitedNodes {
  readonly names: readonly string[];
  /** Most that they are waited for, milliseconds. */
  readonly withinMs: number;
  /** Called once, in the end, with those that have not answered, if there are any. */
  readonly onSilent: (names: readonly string[]) => void;
}

export interface RunningJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly node: string;
  readonly attempt: number;
  readonly startedAt: number;
  /** As its envelope has it; tells apart the jobs that had one id. */
  readonly createdAt: number;
  /**
   * How often the server has handed its message out, from 2 on: an earlier holder died with it, was
   * cut off, or gave it back. Absent the first time, and of a node of an older version.
   */
  readonly deliveries?: number;
  /** Of a schedule's tick: the leadership that published it. No producer's job has one. */
  readonly leadership?: number;
  /** Its attempt's trace, or the one that its headers name. */
  readonly traceId?: string;
  /**
   * What it entered that holds others back: the gates at which they are blocked, by their names.
   * Absent where there are none, and of a node of an older version.
   */
  readonly gates?: readonly string[];
}
