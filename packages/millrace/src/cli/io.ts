import { styleText } from "node:util";
import { MillraceError } from "@millrace/core";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Colours a text, or gives it back as it is. */
export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;

/** A terminal that is drawn on. */
export interface Screen {
  readonly rows: number;
}

/** Everything a command reads and writes, so that tests can stand in for the terminal. */
export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Results. */
  out(text: string | Uint8Array): void;
  /** Everything else: notes, logs, errors for people. */
  err(text: string): void;
  /**
   * A line for people that the next one writes over; none where nobody looks. Empty: takes it away.
   */
  progress(text: string): void;
  /**
   * All of standard input, which is a payload.
   *
   * @throws MillraceError `invalid-payload` where it is not in UTF-8
   */
  readStdin(): Promise<string>;
  /** Asks a person; undefined where there is none to ask. */
  ask(question: string): Promise<string | undefined>;
  /** Aborted when nobody reads results any more: what only shows things ends then. */
  readonly unread?: AbortSignal;
  /**
   * Resolves when the reader of results has taken enough of what was printed for more to follow,
   * when it is gone, or when the signal is aborted. Absent: it takes everything at once.
   */
  taken?(until?: AbortSignal): Promise<void>;
  /** Told by a command that serves: its end waits for no reader. */
  serves?(): void;
  /** Set where results go to a terminal. */
  readonly screen?: Screen;
  readonly paint: Paint;
  /** For what goes to `err`. */
  readonly paintErr: Paint;
}

/**
 * The process's own streams. `NO_COLOR` and `FORCE_COLOR` count; without either, colours are for
 * terminals only.
 */
export function processIo(unread?: AbortSignal): CliIo {
  return {
    env: process.env,
    cwd: process.cwd(),
    out: (text) => write(process.stdout, text),
    err: (text) => write(process.stderr, text),
    progress: (text) => {
      if (process.stderr.isTTY) write(process.stderr, `\r\u001b[2K${text}`);
    },
    readStdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return payloadInUtf8(Buffer.concat(chunks), "standard input");
    },
    ask: async (question) => {
      if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
      const { askPerson } = await import("./ask-person.ts");
      return askPerson(question, {
        ...{ input: process.stdin, output: process.stderr },
        exit: (code) => process.exit(code),
      });
    },
    ...(unread === undefined ? {} : { unread }),
    taken: (until) => taken(process.stdout, [until, unread]),
    ...(process.stdout.isTTY ? { screen: process.stdout } : {}),
    paint: (style, text) => styleText(style, text, { stream: process.stdout }),
    paintErr: (style, text) => styleText(style, text, { stream: process.stderr }),
  };
}

/** A byte order mark stays: whoever reads the payload leaves it out, as a node does. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A payload that somebody has written. Bytes of another encoding would become other characters
 * without a word, and the payload another one.
 *
 * @throws MillraceError `invalid-payload`
 */
export function payloadInUtf8(bytes: Uint8Array, from: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new MillraceError(
      "invalid-payload",
      `The payload can't be sent: ${from} is not in UTF-8. Save it as UTF-8, and try again.`,
    );
  }
}

/** Node 20 throws what a file's stream can't write, such as on a full disk; later ones tell it. */
function write(stream: NodeJS.WriteStream, text: string | Uint8Array): void {
  try {
    stream.write(text);
  } catch (error) {
    stream.emit("error", error);
  }
}

async function taken(
  stream: NodeJS.WriteStream,
  ends: readonly (AbortSignal | undefined)[],
): Promise<void> {
  if (!stream.writableNeedDrain || ends.some((end) => end?.aborted === true)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const go = (): void => resolve();
  stream.once("drain", go);
  for (const end of ends) end?.addEventListener("abort", go);
  await promise;
  stream.off("drain", go);
  for (const end of ends) end?.removeEventListener("abort", go);
}
