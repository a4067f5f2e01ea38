import {
  type ProgressReport,
  type ProgressStore,
  requirePlace,
  type Stoppable,
} from "@millrace/core";
import type { Connection } from "../connection.ts";

type Job = Parameters<ProgressStore["latest"]>[0];

/** The latest reports, shared by every connection. */
export class ProgressBoard {
  readonly latest = new Map<string, ProgressReport>();
  readonly followers = new Set<(key: string, report: ProgressReport) => void>();
}

/** One connection's access to the board. */
export class MemoryProgress implements ProgressStore {
  readonly #board: ProgressBoard;
  readonly #connection: Connection;

  constructor(board: ProgressBoard, connection: Connection) {
    this.#board = board;
    this.#connection = connection;
  }

  async put(job: Job, report: ProgressReport): Promise<void> {
    this.#connection.reach();
    this.#board.latest.set(keyOf(job), { ...report });
    for (const tell of [...this.#board.followers]) tell(keyOf(job), { ...report });
  }

  async latest(job: Job): Promise<ProgressReport | undefined> {
    this.#connection.reach();
    return this.#board.latest.get(keyOf(job));
  }

  async remove(job: Job): Promise<void> {
    this.#connection.reach();
    this.#board.latest.delete(keyOf(job));
  }

  async follow(job: Job, listener: (report: ProgressReport) => void): Promise<Stoppable> {
    this.#connection.reach();
    const wanted = keyOf(job);
    let following = true;
    const tell = (key: string, report: ProgressReport): void => {
      if (key !== wanted) return;
      this.#connection.deliver(() => {
        if (following) listener(report);
      });
    };
    this.#board.followers.add(tell);
    return this.#connection.attach(() => {
      following = false;
      this.#board.followers.delete(tell);
    });
  }
}

function keyOf(job: Job): string {
  const { queue, id } = requirePlace(job);
  return `${queue}.${id}`;
}
