import { parseArgs } from "node:util";
import type { FLAVOURS } from "../jetstream/flavour.ts";

export interface SimpleArguments {
  readonly server: keyof typeof FLAVOURS;
  readonly seeds: readonly number[];
}

/**
 * What the command line of worlds of a kind says. Ends the process where help is asked for, or
 * nothing can be made of it.
 *
 * @param kind the option by which worlds of this kind are asked for
 */
export function simpleArguments(kind: string, usage: string): SimpleArguments {
  const { values } = parseArgs({
    options: {
      [kind]: { type: "boolean" },
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      server: { type: "string", default: "2.15" },
      help: { type: "boolean", default: false },
    },
  }) as {
    values: { seeds: string; from: string; seed?: string; server: string; help: boolean };
  };
  const { server } = values;
  const from = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  if (!(server === "2.15" || server === "2.10") || !Number.isSafeInteger(from) || !(count > 0)) {
    console.error(usage);
    process.exit(2);
  }
  return { server, seeds: Array.from({ length: count }, (_, at) => from + at) };
}
