import { MillraceError } from "@millrace/core";
import type { Network } from "../broker/network.ts";
import type { SimProcess } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import { type ModelDatabase, ModelTransaction } from "./model-database.ts";

/** What a process and its database are connected by. */
export interface LineOptions {
  readonly process: SimProcess;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly database: ModelDatabase;
}

/**
 * The connection of one process to its database. What it has open is rolled back when it breaks,
 * and when its process dies; a process that stands still keeps it.
 */
export class DatabaseLine {
  readonly #options: LineOptions;
  readonly #open = new Set<ModelTransaction>();

  constructor(options: LineOptions) {
    this.#options = options;
    options.process.onDeath(() => this.#break());
  }

  /** Runs the function in a transaction, and commits; rolls back where it throws. */
  async transaction(act: (tx: ModelTransaction) => Promise<unknown>): Promise<void> {
    const { database } = this.#options;
    const tx = await this.call("begin", () => new ModelTransaction(database));
    this.#open.add(tx);
    try {
      await act(this.#remote(tx));
      await this.call("commit", () => tx.commit());
    } catch (error) {
      tx.rollback();
      throw error;
    } finally {
      this.#open.delete(tx);
    }
  }

  /**
   * There, done at once, and back.
   *
   * @throws MillraceError `outbox-failed` where the line broke: it may be done or not
   */
  call<T>(what: string, act: () => T | Promise<T>): Promise<T> {
    const { process, timeline, network } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!process.isRunning) {
      // It was stopped in the midst of a turn, whose rest comes at the thaw.
      process.receive(() => void this.call(what, act).then(resolve, reject));
      return promise;
    }
    const point = `${process.name} database ${what}`;
    const { thereMs, backMs, fault } = network.passage(point, process);
    const broken = (): void => {
      this.#break();
      process.receive(() => reject(new MillraceError("outbox-failed", "The connection broke.")));
    };
    const isEarly = fault?.endsWith("-before") === true || fault === "stop" || fault === "freeze";
    if (fault !== undefined && isEarly && fault !== "cut-before")
      network.strike(fault, point, process);
    if (fault === "cut-before") timeline.plan(thereMs, broken);
    // A process that died meanwhile has sent it, unless it died before.
    else if (!process.isDead)
      timeline.plan(thereMs, () => {
        void Promise.resolve()
          .then(act)
          .then((value) => {
            if (fault === "cut-after") return broken();
            if (fault !== undefined && !isEarly) network.strike(fault, point, process);
            return void timeline.plan(backMs, () => process.receive(() => resolve(value)));
          })
          .catch((error: unknown) => process.receive(() => reject(error)));
      });
    return promise;
  }

  /** The same transaction, each of whose statements goes over the line. */
  #remote(tx: ModelTransaction): ModelTransaction {
    return new Proxy(tx, {
      get: (target, name) => {
        if (name === "run")
          return (sql: string, parameters: readonly string[]) =>
            this.call(`run ${sql.trim().split(/\s/, 3).join(" ")}`, () =>
              target.run(sql, parameters),
            );
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #break(): void {
    for (const tx of this.#open) tx.rollback();
    this.#open.clear();
  }
}
