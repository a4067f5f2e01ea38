const NS_A_MS = 1e6;

/** How long a NAK asks for, milliseconds; 0 where it asks for nothing a server reads. */
export function delayOf(word: string): number {
  const at = word.indexOf("{");
  if (at < 0) return 0;
  try {
    const { delay } = JSON.parse(word.slice(at)) as { delay?: number };
    return Number.isInteger(delay) ? (delay ?? 0) / NS_A_MS : 0;
  } catch {
    return 0;
  }
}
