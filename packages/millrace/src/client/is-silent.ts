/** A node says that it is there every ten seconds; until then an answer may just be late. */
const SILENT_MS = 15_000;

/** Whether what a node said last may not be true any more. */
export function isSilent({ silentMs }: { readonly silentMs: number }): boolean {
  return silentMs > SILENT_MS;
}
