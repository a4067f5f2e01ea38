import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { NodeSaid, NodeSetup, NodeTold } from "./node-messages.ts";

const PROGRAM = fileURLToPath(new URL("./node-program.ts", import.meta.url));

/** A node program as its parent sees it. */
export class NodeProcess {
  readonly #child: ChildProcess;
  succeeded = 0;
  deferred = 0;
  /** Called whenever one of the counts has changed. */
  onProgress: () => void = () => {};
  #stopped = Promise.withResolvers<readonly number[]>();
  readonly #failed: Promise<never>;
  #ended = false;

  static async start(setup: NodeSetup): Promise<NodeProcess> {
    const child = fork(PROGRAM, [JSON.stringify(setup)]);
    const ready = once(child, "message");
    const node = new NodeProcess(child);
    await Promise.race([ready, node.#failed]);
    return node;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: NodeSaid) => this.#hear(message));
    this.#failed = once(child, "exit").then(([code, signal]) => {
      if (this.#ended) return new Promise<never>(() => {});
      throw new Error(`a node process ended with ${String(signal ?? code)}`);
    });
    // Whoever waits hears of it; nobody may be waiting.
    this.#failed.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Rejects when the process ends too soon. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  run(): void {
    this.#stopped = Promise.withResolvers();
    this.#tell({ do: "start" });
  }

  /** @returns how late jobs came that were due at a time */
  async stop(): Promise<readonly number[]> {
    this.#tell({ do: "stop" });
    return Promise.race([this.#stopped.promise, this.#failed]);
  }

  async end(): Promise<void> {
    this.#ended = true;
    const gone = once(this.#child, "exit");
    this.#tell({ do: "end" });
    await gone;
  }

  #tell(message: NodeTold): void {
    this.#child.send(message);
  }

  #hear(message: NodeSaid): void {
    if (message.say === "ready") return;
    this.succeeded = message.succeeded;
    this.deferred = message.deferred;
    if (message.say === "stopped") this.#stopped.resolve(message.lateness);
    this.onProgress();
  }
}
