import { nearest } from "@millrace/core";
import type { Command } from "./command.ts";

/**
 * The command, or the group of commands, that these words may have been meant for.
 *
 * @param words what stands in front of the first flag
 * @returns undefined where none is close
 */
export function nearestCommand(
  words: readonly string[],
  commands: readonly Command[],
): string | undefined {
  const [first = "", second = ""] = words;
  const names = commands.map(({ name }) => name.split(" ") as [string, string?]);
  const meant = orNearest(
    first,
    names.map(([name]) => name),
  );
  const within = orNearest(
    second,
    names.flatMap(([group, name]) => (group === meant ? (name ?? []) : [])),
  );
  if (within !== undefined) return `${meant} ${within}`;
  return meant === first ? undefined : meant;
}

function orNearest(given: string, names: readonly string[]): string | undefined {
  return names.includes(given) ? given : nearest(given, names);
}
