import type { Paint, Style } from "../io.ts";
import { clean } from "./clean.ts";

export interface Column<Row> {
  readonly title: string;
  readonly align?: "right";
  /** An address that is cut is none. Other cells are cut at 200 characters. */
  readonly isWhole?: true;
  readonly cell: (row: Row) => string;
}

/**
 * Rows as aligned columns under titles. Cells are cleaned; the last column is as long as it needs.
 */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  paint: Paint,
): string {
  const cells = rows.map((row) =>
    columns.map(({ cell, isWhole }) =>
      clean(cell(row), isWhole === true ? Number.POSITIVE_INFINITY : undefined),
    ),
  );
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const layOut = (line: readonly string[]): string =>
    line
      .map((text, index) =>
        columns[index]?.align === "right"
          ? text.padStart(widths[index] ?? 0)
          : text.padEnd(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [paint("bold", layOut(columns.map(({ title }) => title))), ...cells.map(layOut), ""].join(
    "\n",
  );
}

/** A name and a value, and the colour in which it is shown. */
type Fact = readonly [name: string, value: string, style?: Style];

/** Names and values, one a line: a value is shown whole, and a terminal obeys nothing in it. */
export function facts(pairs: readonly Fact[], paint: Paint): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return [
    ...pairs.map(([name, value, style]) => {
      const shown = clean(value, Number.POSITIVE_INFINITY);
      const painted = style === undefined ? shown : paint(style, shown);
      return `${paint("bold", name.padEnd(width))}  ${painted}`;
    }),
    "",
  ].join("\n");
}
