import { constants } from "node:os";
import { createInterface } from "node:readline/promises";

/** The terminal of a person who is asked, and what ends the process. */
export interface Asked {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly exit: (code: number) => void;
}

/**
 * Asks a question on a terminal. Ctrl-D is an empty answer; Ctrl-C ends the process, as it does
 * where nothing is asked: nothing that is asked about has begun.
 */
export async function askPerson(question: string, { input, output, exit }: Asked): Promise<string> {
  const terminal = createInterface({ input, output, terminal: true });
  const { promise: left, resolve } = Promise.withResolvers<string>();
  terminal.once("close", () => resolve(""));
  terminal.once("SIGINT", () => {
    output.write("\n");
    terminal.close();
    exit(128 + constants.signals.SIGINT);
  });
  try {
    // Some versions of Node reject what a closed terminal asks, and others leave it open.
    return await Promise.race([terminal.question(question).catch(() => ""), left]);
  } finally {
    terminal.close();
  }
}
