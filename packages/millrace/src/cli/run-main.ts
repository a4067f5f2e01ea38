import { EXIT, type ExitCode } from "./exit-codes.ts";
import { processIo } from "./io.ts";
import { main } from "./main.ts";
import { exitOnSignals } from "./serving/early-signals.ts";
import { aborted } from "./serving/interrupt.ts";
import { quietSqlite } from "../quiet-sqlite.ts";

quietSqlite();

/**
 * How long logs may take to be written before the process ends whatever is still open in it, and
 * results of a command that serves: a stopping node waits for no reader. Results of any other
 * command wait until they are read: cut off they would be no document, and no error either.
 */
const OUTPUT_MS = 2_000;
/**
 * What ends by itself has this long; the grace of a node leaves no more than a twentieth of itself.
 */
const LINGER_MS = 100;

/**
 * A reader that has seen enough (`| head`) closes the pipe, and a disk that a stream goes to may be
 * full. That is no error of the command, and no end of it either: a node has jobs in hand, and the
 * exit code is the command's own.
 */
const unread = new AbortController();
let lost: ExitCode | undefined;
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (stream !== process.stdout) return;
    unread.abort();
    // Results that are lost, where somebody wanted them, are no success.
    if (error.code !== "EPIPE") lost ??= EXIT.failed;
  });

let serves = false;
const io = { ...processIo(unread.signal), serves: () => void (serves = true) };
const code = await main(process.argv.slice(2), io);
if (serves) await Promise.race([written(process.stdout), after(OUTPUT_MS)]);
else {
  exitOnSignals();
  await Promise.race([written(process.stdout), aborted(unread.signal)]);
}
await Promise.race([written(process.stderr), after(OUTPUT_MS)]);
process.exitCode = code === EXIT.ok ? (lost ?? code) : code;
// A handler that ignored its abort may hold a socket or a timer for ever; the node has handed its
// job back already.
setTimeout(() => process.exit(), LINGER_MS).unref();

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
