/**
 * What an answer says in JSON, where that is an object: anybody may answer on a subject, with
 * anything. Its fields are as little to be trusted.
 *
 * @returns undefined where it is something else
 */
export function readObject(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
