import { fileURLToPath } from "node:url";
import { eventually } from "../harness/deadline.ts";
import { startChild, type TestChild } from "../harness/child.ts";
import { type CommandResult, millrace, millraceHere } from "../cli/millrace.ts";

const BIN = fileURLToPath(new URL("../../packages/millrace/src/cli/bin.ts", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));

/** A process must start, on a machine that does much else. */
export const START_MS = 90_000;
/** An operator who gives a command again and again finds what is wrong within a minute. */
const A_MINUTE_MS = 60_000;

export interface NightNode {
  readonly name: string;
  readonly jobs: "night-mail" | "night-crunch";
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node itself. */
  readonly nodeOptions?: readonly string[];
}

export interface Night {
  /** `millrace run`, in a process of its own. */
  node(options: NightNode): TestChild;
  /** A command, to its end. */
  run(...args: readonly string[]): Promise<CommandResult>;
  /** The same in a process of its own, with these variables. */
  traced(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<CommandResult>;
  /** What is given with `--json`. */
  json<T>(...args: readonly string[]): Promise<T>;
  /** Gives a command until it prints what is looked for, within a minute. */
  shows(command: string, pattern: RegExp): Promise<CommandResult>;
}

export function night(servers: string, namespace: string): Night {
  const env = { MILLRACE_SERVERS: servers, MILLRACE_NAMESPACE: namespace };
  const run: Night["run"] = (...args) => millraceHere(args, { env });
  return {
    run,
    traced: (more, ...args) => millrace(args, { env: { ...env, ...more } }),
    json: async <T>(...args: readonly string[]) => (await run(...args, "--json")).json<T>(),
    node: ({ name, jobs, env: more = {}, nodeOptions = [] }) =>
      startChild(BIN, {
        args: ["run", program(jobs), "--name", name, "--health-port", "0"],
        env: { ...env, ...more },
        nodeOptions,
      }),
    async shows(command, pattern) {
      let last: CommandResult | undefined;
      return eventually(
        async () => {
          last = await run(...command.split(" "));
          return pattern.test(last.out) ? last : undefined;
        },
        {
          withinMs: A_MINUTE_MS,
          everyMs: 250,
          describe: () =>
            `millrace ${command} shows ${pattern}; it shows\n${last?.out}${last?.err}`,
        },
      );
    },
  };
}

/** A line of a node's log, as JSON. */
export async function logged(
  node: TestChild,
  message: RegExp,
  withinMs = A_MINUTE_MS,
): Promise<Readonly<Record<string, unknown>>> {
  const line = await node.line(new RegExp(`"msg":"${message.source}`), withinMs);
  return JSON.parse(line) as Readonly<Record<string, unknown>>;
}

export const clockAhead = ["--import", program("clock-ahead")];
