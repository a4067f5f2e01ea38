#!/usr/bin/env node
import { processIo } from "./io.ts";
import { main } from "./main.ts";

/** How long output may take to be written before the process ends whatever is still open in it. */
const LINGER_MS = 2_000;

// A reader that has seen enough (`| head`) closes the pipe: that is no error of the command.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2), processIo());
// A handler that ignored its abort may hold a socket or a timer for ever; the node has handed its job back already.
setTimeout(() => process.exit(), LINGER_MS).unref();
