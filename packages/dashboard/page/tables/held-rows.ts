/** What a list shows while somebody is in it. */
export interface HeldRows<Row> {
  readonly rows: readonly Row[];
  /** How many more there are that wait until nobody is in the list. */
  readonly waiting: number;
}

/**
 * Rows in the places where they were, as they are now: what somebody points at does not move away
 * under them, and what they click is what they saw. Where none is left, those that waited come.
 *
 * @param keepsGone a row that is told no more stays as it was
 */
export function heldRows<Row extends { readonly id: string }>(
  before: readonly Row[],
  now: readonly Row[],
  keepsGone: boolean,
): HeldRows<Row> {
  const known = new Map(now.map((row) => [row.id, row]));
  const rows = before.flatMap((row) => known.get(row.id) ?? (keepsGone ? [row] : []));
  if (rows.length === 0) return { rows: now, waiting: 0 };
  const held = new Set(before.map(({ id }) => id));
  return { rows, waiting: now.filter(({ id }) => !held.has(id)).length };
}
