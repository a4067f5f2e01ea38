import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/**
 * Below the range that systems hand out for outgoing connections, so that a server can come back to
 * its port.
 */
const LOWEST = 10_000;
const HIGHEST = 32_000;

/**
 * A random loopback port that nothing listens on at this moment. While this process lives no other
 * call returns it, in no process: what is to listen there may take its time to start.
 */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if ((await claim(port)) && (await isFree(port))) return port;
  }
  throw new Error("no free loopback port was found in 100 tries");
}

/**
 * Binds the UDP port of the same number, which nobody else has a use for: the system lets one
 * process have it, and frees it when that is gone, however it went.
 */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => socket.close(() => resolve(false)));
    socket.bind(port, "127.0.0.1", () => {
      socket.unref();
      resolve(true);
    });
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
