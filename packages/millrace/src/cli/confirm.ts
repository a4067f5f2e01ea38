import { MillraceError } from "@millrace/core";
import type { CliIo } from "./io.ts";

/** The flag of every command that asks first. */
export const ASKS_FIRST = "Don't ask; needed where there is no terminal";

/**
 * Asks a person before something that can't be taken back, or that concerns many things.
 *
 * @param yes the command's `--yes`: not asked then
 * @param question without what stands behind it: `Cancel 7 jobs?`
 * @throws MillraceError `invalid-option` where there is nobody to ask: a pipe must say `--yes`
 */
export async function confirmed(
  io: CliIo,
  yes: boolean | undefined,
  question: string,
): Promise<boolean> {
  if (yes === true) return true;
  const answer = await io.ask(`${question} [y/N] `);
  if (answer === undefined)
    throw new MillraceError(
      "invalid-option",
      `There is nobody to ask (${question}): add --yes to do it.`,
    );
  return /^y(es)?$/i.test(answer.trim());
}
