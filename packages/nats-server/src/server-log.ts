import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const KEPT_LINES = 200;

/** The last lines a server logged, and a way to wait for one. */
export class ServerLog {
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();

  /** Reads a stream until it ends. A restarted server gives the same log another stream. */
  read(stream: Readable): void {
    createInterface({ input: stream }).on("line", (line) => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
      for (const listener of this.#listeners) listener(line);
    });
  }

  lines(): readonly string[] {
    return [...this.#lines];
  }

  /** Calls back on every line from now on. Returns the function that stops it. */
  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Resolves with the first line that matches: one already logged, or a later one.
   * Rejects after `withinMs` milliseconds, with the last lines in the message.
   */
  waitFor(pattern: RegExp, withinMs: number): Promise<string> {
    const already = this.#lines.find((line) => pattern.test(line));
    if (already !== undefined) return Promise.resolve(already);
    return new Promise((resolve, reject) => {
      const stop = this.onLine((line) => {
        if (!pattern.test(line)) return;
        clearTimeout(timer);
        stop();
        resolve(line);
      });
      const timer = setTimeout(() => {
        stop();
        const last = this.#lines.slice(-10).join("\n");
        reject(
          new Error(
            `the server logged no line like ${pattern} within ${withinMs} ms. Last lines:\n${last}`,
          ),
        );
      }, withinMs);
    });
  }
}
