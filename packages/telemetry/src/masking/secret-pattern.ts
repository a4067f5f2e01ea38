/** What stands where a masked value stood. */
export const MASKED = "***";

/** A shape that secrets have in free text. */
export interface SecretPattern {
  readonly name: string;
  /**
   * Finds candidates. Must be linear in the text's length: start it with a fixed beginning or a
   * look-behind. A group named `keep` (what is before the secret) and one named `end` (what is
   * after it) stay; the rest is replaced. What a group named `wrap` has found is put around the
   * mask.
   */
  readonly find: RegExp;
  /** Says whether a candidate is one; without it each is. */
  readonly accept?: (
    found: string,
    groups: Readonly<Record<string, string | undefined>>,
  ) => boolean;
}

/** A pattern ready to be used on any text: as it was given, and for every place where it fits. */
export function everywhere({ name, find, accept }: SecretPattern): SecretPattern {
  const flags = find.flags.replaceAll(/[gy]/g, "");
  return {
    name,
    find: new RegExp(find.source, `${flags}g`),
    ...(accept === undefined ? {} : { accept }),
  };
}

/** The text with each secret of that shape replaced. */
export function replaceSecrets(text: string, { find, accept }: SecretPattern): string {
  return text.replace(find, (...args: unknown[]) => {
    const [found] = args as [string];
    const last = args.at(-1);
    const groups =
      typeof last === "object" && last !== null ? (last as Record<string, string | undefined>) : {};
    if (accept !== undefined && !accept(found, groups)) return found;
    const wrap = groups["wrap"] ?? "";
    return `${groups["keep"] ?? ""}${wrap}${MASKED}${wrap}${groups["end"] ?? ""}`;
  });
}
