import { spawn } from "node:child_process";

/**
 * Ends with its parent: reads a pipe that only this process holds open, and acts when it closes.
 */
const SCRIPT = `trap '' INT TERM HUP; read _; kill -TERM "$1" 2>/dev/null; sleep 1; kill -KILL "$1" 2>/dev/null; [ -z "$2" ] || rm -rf "$2"`;

/**
 * Makes sure that a child process does not outlive this one, however this one ends (SIGKILL
 * included). A small shell waits on a pipe; the system closes the pipe when this process is gone,
 * and the shell then ends the child and removes `removeDir`. Call the returned function as soon as
 * the child has exited, so that its pid is never used twice.
 *
 * On Windows, and where there is no /bin/sh, there is no such guard: a child outlives a parent that
 * is ended by force.
 */
export function guardChild(pid: number, removeDir?: string): () => void {
  if (process.platform === "win32") return () => {};
  // A group of its own, so that an interrupt at the terminal reaches neither the guard nor what it
  // guards.
  const guard = spawn("/bin/sh", ["-c", SCRIPT, "guard", String(pid), removeDir ?? ""], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  const pipe = guard.stdin;
  // The pipe is a socket underneath; it must not keep this process alive.
  if (pipe !== null && "unref" in pipe && typeof pipe.unref === "function") pipe.unref();
  pipe?.on("error", () => {});
  // Without a guard the child still works; it only loses its protection against a parent that is
  // killed.
  guard.on("error", () => {});
  return () => void guard.kill("SIGKILL");
}
