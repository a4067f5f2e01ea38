/** Long keys are cut: the path stands in an error's message. */
export function pathOf(places: readonly (string | number)[]): string {
  let path = "";
  for (const place of places) {
    if (typeof place === "number") path += `[${place}]`;
    else path += `${path === "" ? "" : "."}${place.slice(0, 40)}`;
  }
  return path === "" ? "the value" : path.slice(0, 300);
}

/** Why a whole number is refused, in each format. */
export function wideInteger(path: string): string {
  return `${path} is a whole number beyond 2^53, which would be altered; send it as a string`;
}

/**
 * A whole number that may have been another before it was a JavaScript number. From 1e21 on numbers
 * are written with an exponent, by everybody: they are measures, not counts or ids.
 */
export function isWideInteger(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21;
}
