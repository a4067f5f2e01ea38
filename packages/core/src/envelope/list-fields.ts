/** Whether an object has more fields of its own than that. No more of them are read. */
export function hasMoreFields(value: object, than: number): boolean {
  let count = 0;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    count += 1;
    if (count > than) return true;
  }
  return false;
}

/**
 * Whether a value certainly holds more values than that: each entry and each field is one. Bytes
 * and the like have a field for each entry, which a text of them would have too.
 */
export function holdsMore(value: unknown, than: number): boolean {
  if (typeof value !== "object" || value === null || than === Infinity) return false;
  return Array.isArray(value) ? value.length > than : hasMoreFields(value, than);
}

const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/**
 * A field that a list has beside its entries, as what `match()` gives has `index`: no format that
 * we write has a place for it. A list's indices come first among its keys, so the last one tells.
 */
export function fieldBesideEntries(list: readonly unknown[]): string | undefined {
  const last = Object.keys(list).at(-1);
  if (last === undefined) return undefined;
  if (list.length > 0 && last === String(list.length - 1)) return undefined;
  // Of a list that ends in holes it is an entry's, too.
  return INDEX.test(last) && Number(last) < list.length ? undefined : last;
}
