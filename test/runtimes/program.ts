import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";

const PATIENCE_MS = 90_000;

/** A program under any runtime. Killed when the test that started it has finished. */
export interface Program {
  /** The first line that holds this; rejects with the output where the program ends without it. */
  says(text: string): Promise<string>;
  /** Asks it to end, and waits until it has. */
  end(): Promise<void>;
}

export function startProgram(
  [command = "", ...args]: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Program {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  const told = (): void => [...listeners].forEach((listener) => listener());
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true;
      told();
      resolve();
    };
    child.once("error", (error) => {
      lines.push(String(error));
      end();
    });
    child.once("close", end);
  });
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      told();
    });
  cleanUpLater(async () => {
    if (!isOver) child.kill("SIGKILL");
    await ended;
  });
  const saying = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((line) => line.includes(text));
        if (found === undefined && !isOver) return;
        listeners.delete(look);
        if (found !== undefined) resolve(found);
        else reject(new Error(`${command} ended without "${text}":\n${lines.join("\n")}`));
      };
      listeners.add(look);
      look();
    });
  return {
    says: (text) => within(saying(text), PATIENCE_MS, `${command} says "${text}"`),
    end: async () => {
      child.kill("SIGTERM");
      await within(ended, PATIENCE_MS, `${command} ends`);
    },
  };
}
