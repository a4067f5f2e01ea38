/** Ends this process as `kill -9` does. Nothing after the call runs. */
export function die(why: string): never {
  console.log(`dying ${why}`);
  process.kill(process.pid, "SIGKILL");
  // The signal is delivered before the call returns on Linux; elsewhere it may take a moment, in
  // which nothing may happen.
  for (;;);
}
