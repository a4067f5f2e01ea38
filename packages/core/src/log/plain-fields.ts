/** A log line's fields in the form that JSON has for them; their names where it has none. */
export function plainFields(fields: unknown): object {
  try {
    const plain: unknown = JSON.parse(JSON.stringify(fields));
    return typeof plain === "object" && plain !== null ? plain : { value: plain };
  } catch {
    return { unloggable: namesOf(fields) };
  }
}

function namesOf(fields: unknown): readonly string[] {
  try {
    return typeof fields === "object" && fields !== null ? Object.keys(fields) : [];
  } catch {
    return [];
  }
}
