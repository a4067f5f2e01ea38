import { parseArgs } from "node:util";

/** A whole number above 0, or from 0 on. */
interface Count {
  readonly says: string;
  readonly count: number;
  readonly from?: 0;
}

interface Choice<T extends string> {
  readonly says: string;
  readonly choice: readonly [T, ...T[]];
}

/** A file's name, for instance; without it undefined. */
interface Text {
  readonly says: string;
  readonly text: string;
}

interface Flag {
  readonly says: string;
  readonly flag: true;
}

export type Options = Readonly<Record<string, Count | Choice<string> | Text | Flag>>;

export type ValuesOf<T extends Options> = {
  readonly [Name in keyof T]: T[Name] extends Count
    ? number
    : T[Name] extends Choice<infer Word>
      ? Word
      : T[Name] extends Flag
        ? boolean
        : string | undefined;
};

/** What a command is told; the first of its choices is the default. */
export interface CommandLine<T extends Options> {
  readonly command: string;
  readonly about: string;
  readonly options: T;
}

/**
 * Reads what the command was called with. `--help` prints what it can be called with and ends the
 * process with 0; what can't be understood is said in one line, and ends it with 2.
 */
export function readCommandLine<const T extends Options>(
  commandLine: CommandLine<T>,
  args: readonly string[] = process.argv.slice(2),
): ValuesOf<T> {
  if (args.includes("--help")) {
    process.stdout.write(helpOf(commandLine));
    process.exit(0);
  }
  try {
    return valuesOf(commandLine, args);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${commandLine.command}: ${why} (--help says more)\n`);
    process.exit(2);
  }
}

/** @throws Error which says in one line what is wrong */
export function valuesOf<const T extends Options>(
  { options }: CommandLine<T>,
  args: readonly string[],
): ValuesOf<T> {
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map(([name, option]) => [
        name,
        { type: "flag" in option ? ("boolean" as const) : ("string" as const) },
      ]),
    ),
  });
  const read = Object.entries(options).map(([name, option]) => [
    name,
    valueOf(name, option, values[name]),
  ]);
  return Object.fromEntries(read) as ValuesOf<T>;
}

function valueOf(
  name: string,
  option: Options[string],
  given: string | boolean | undefined,
): unknown {
  if ("flag" in option) return given === true;
  if ("text" in option) return given;
  if ("choice" in option) {
    if (given === undefined) return option.choice[0];
    if (option.choice.includes(String(given))) return given;
    throw new Error(`--${name} must be ${option.choice.join(" or ")}; got ${String(given)}`);
  }
  if (given === undefined) return option.count;
  const least = option.from ?? 1;
  const count = given === "" ? Number.NaN : Number(given);
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new Error(`--${name} must be a whole number from ${least} on; got ${String(given)}`);
}

export function helpOf<T extends Options>({ command, about, options }: CommandLine<T>): string {
  const lines = Object.entries(options).map(([name, option]): readonly [string, string] => {
    if ("flag" in option) return [`--${name}`, option.says];
    if ("text" in option) return [`--${name} ${option.text}`, option.says];
    if ("choice" in option)
      return [
        `--${name} ${option.choice.join("|")}`,
        `${option.says} (default ${option.choice[0]})`,
      ];
    return [`--${name} N`, `${option.says} (default ${option.count.toLocaleString("en")})`];
  });
  lines.push(["--help", "this"]);
  const width = Math.max(...lines.map(([flag]) => flag.length)) + 2;
  const listed = lines.map(([flag, says]) => `  ${flag.padEnd(width)}${says}\n`).join("");
  return `${command} [options]\n\n${about}\n\n${listed}`;
}
