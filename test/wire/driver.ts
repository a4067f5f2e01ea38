import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";

/** How one of the foreign programs is started; the server's address is its last argument. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface EnqueueCommand {
  readonly do: "enqueue";
  readonly namespace: string;
  readonly queue: string;
  readonly format: "json" | "msgpack";
  readonly job: object;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ResultCommand {
  readonly do: "result";
  readonly namespace: string;
  readonly queue: string;
  readonly id: string;
}

/**
 * What a program answers: the acknowledgement or the record's fields, or its client's error in its
 * client's words.
 */
export interface Reply {
  readonly stream?: string;
  readonly sequence?: number;
  readonly duplicate?: boolean;
  readonly state?: string;
  readonly output?: unknown;
  readonly attempts?: number;
  readonly error?: string;
}

export interface Driver {
  ask(command: EnqueueCommand | ResultCommand): Promise<Reply>;
}

const ANSWER_MS = 20_000;

/**
 * Starts a program of `producers/`. It reads commands as JSON lines and answers each with one line,
 * in order.
 */
export function startDriver(program: Program, serverUrl: string): Driver {
  const child = spawn(program.command, [...program.args, serverUrl], {
    cwd: program.cwd,
    env: { ...process.env, ...program.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const complaints: string[] = [];
  const waiting: PromiseWithResolvers<Reply>[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
  createInterface({ input: child.stdout }).on("line", (line) => {
    waiting.shift()?.resolve(JSON.parse(line) as Reply);
  });
  const ended = endOf(child);
  void ended.then((why) => {
    const text = complaints.slice(-20).join("\n");
    for (const { reject } of waiting.splice(0))
      reject(new Error(`${program.command} ${why}:\n${text}`));
  });
  cleanUpLater(async () => {
    child.stdin.end();
    child.kill("SIGKILL");
    await ended;
  });
  return {
    ask: (command) => {
      const reply = Promise.withResolvers<Reply>();
      waiting.push(reply);
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return within(reply.promise, ANSWER_MS, () => `an answer to ${JSON.stringify(command)}`);
    },
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started (${error.message})`));
    child.once("close", (code, signal) => resolve(`ended with ${code ?? signal}`));
  });
}
