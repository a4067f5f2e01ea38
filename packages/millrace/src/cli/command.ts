import type { FieldGroup } from "../config/field.ts";
import type { Config } from "../config/fields.ts";
import type { ConfigSources } from "../config/read-config.ts";
import type { FieldKind } from "../config/field-kinds.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { CliIo, Paint } from "./io.ts";

/** A flag of one command. Configuration fields bring their own flags; see `fields.ts`. */
export interface Flag<Value> {
  readonly kind: FieldKind<Value>;
  readonly about: string;
}

export type FlagSet = Readonly<Record<string, Flag<unknown>>>;

export type FlagValues<Flags extends FlagSet> = {
  readonly [Name in keyof Flags]?: Flags[Name] extends Flag<infer Value> ? Value : never;
};

/** What a command is given. */
export interface CommandCall<Flags extends FlagSet = FlagSet> {
  /** What stands on the command line besides flags and the command's own name. */
  readonly args: readonly string[];
  readonly flags: FlagValues<Flags>;
  readonly config: Config;
  /** What the configuration was read from. */
  readonly sources: ConfigSources;
  /** Print machine-readable output only. */
  readonly json: boolean;
  readonly io: CliIo;
}

/** What a command has to say, in both forms. */
export interface Report {
  readonly json: unknown;
  readonly text: (paint: Paint) => string;
  /** Default: ok. */
  readonly exitCode?: ExitCode;
}

export interface Command {
  /** As typed: `dead list`. */
  readonly name: string;
  readonly summary: string;
  /** The arguments as `--help` shows them: `NAME [PAYLOAD|-|@FILE]`. */
  readonly usage: string;
  /** How many arguments it takes. */
  readonly args: { readonly min: number; readonly max: number };
  readonly flags: FlagSet;
  readonly fields: readonly FieldGroup[];
  /** Command lines that work as they stand, each with what it does. */
  readonly examples: readonly (readonly [commandLine: string, what: string])[];
  /** It goes on until a signal ends it. */
  readonly serves?: true;
  /**
   * @returns the exit code alone where the command printed by itself, because it runs for long or
   *   prints bytes
   */
  run(call: CommandCall): Promise<Report | ExitCode>;
}

/** Ties a command's code to the types of its flags. */
export function command<const Flags extends FlagSet>(
  spec: Omit<Command, "flags" | "run"> & {
    readonly flags: Flags;
    run(call: CommandCall<Flags>): Promise<Report | ExitCode>;
  },
): Command {
  // The parser fills exactly the flags that the command declared, so the call fits.
  return spec;
}
