import { createServer } from "node:net";

/** Below the range that systems hand out for outgoing connections, so that a server can come back to its port. */
const LOWEST = 10_000;
const HIGHEST = 32_000;

/** A random loopback port that nothing listens on at this moment. */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) return port;
  }
  throw new Error("no free loopback port was found in 100 tries");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
