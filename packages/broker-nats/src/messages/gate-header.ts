/**
 * A gate's name as a header: JSON in plain ASCII, because a user's key may hold line breaks and any
 * other character.
 */
export function encodeGate(gate: string): string {
  return JSON.stringify(gate).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Another hand's header stands for itself. */
export function decodeGate(header: string): string {
  try {
    const value: unknown = JSON.parse(header);
    return typeof value === "string" ? value : header;
  } catch {
    return header;
  }
}
