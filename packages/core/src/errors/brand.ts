/**
 * Whether a value carries a brand. `instanceof` would miss the classes of a second copy of this
 * package. Never throws: handlers may throw or return anything, such as a revoked proxy.
 */
export function hasBrand(value: unknown, brand: symbol): value is object {
  try {
    return typeof value === "object" && value !== null && brand in value;
  } catch {
    return false;
  }
}
