import {
  columnSizingFeature,
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFns,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { type MouseEvent, type ReactElement, type ReactNode, useMemo } from "react";
import { useExactTimes } from "../words/exact-times.ts";
import { count } from "../words/number.ts";
import { apart } from "./alike.ts";
import { useHeldColumns } from "./use-held-columns.ts";
import { type Holding, useHeldRows } from "./use-held-rows.ts";

const features = tableFeatures({
  rowSortingFeature,
  columnSizingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns,
});

export interface DataColumn<Row> {
  readonly id: string;
  readonly title: string;
  readonly align?: "right";
  /** By which rows are sorted. */
  readonly value: (row: Row) => string | number;
  /** Default: the value. */
  readonly cell?: (row: Row) => ReactNode;
}

export interface DataTableProps<Row> {
  readonly label: string;
  readonly columns: readonly DataColumn<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  /** Shown where there are no rows. */
  readonly empty: ReactNode;
  /** Of a list of the latest: who reads it keeps the rows that newer ones push out. */
  readonly isOfLatest?: boolean;
}

/**
 * Rows under titles that sort them. Scrolls sideways by itself where the screen is narrow. New rows
 * wait while somebody is in the list.
 */
export function DataTable<Row extends object>({
  label,
  columns,
  rows,
  rowKey,
  empty,
  isOfLatest = false,
}: DataTableProps<Row>): ReactElement {
  const definitions = useMemo(() => {
    const helper = createColumnHelper<typeof features, Row>();
    return helper.columns(columns.map(({ id, value }) => helper.accessor(value, { id })));
  }, [columns]);
  const data = useMemo(() => [...rows], [rows]);
  const ids = apart(data.map(rowKey));
  const getRowId = (_row: Row, place: number): string => ids[place] ?? String(place);
  const table = useTable({ features, columns: definitions, data, getRowId });
  const order = columns
    .map(({ id }) => `${id} ${String(table.getColumn(id)?.getIsSorted())}`)
    .join();
  const held = useHeldRows(table.getRowModel().rows, order, isOfLatest);
  const drawn = useHeldColumns(held.isHeld, `${held.taken} ${useExactTimes()}`);
  if (held.rows.length === 0) return <div className="empty">{empty}</div>;
  return (
    <div {...held.around}>
      <Waiting held={held} />
      <div className="scroll" role="region" aria-label={`${label}, table`} tabIndex={0}>
        <table ref={drawn}>
          <thead>
            <tr>
              {columns.map(({ id, title, align }) => {
                const column = table.getColumn(id);
                const sorted = column?.getIsSorted() ?? false;
                return (
                  <th
                    key={id}
                    scope="col"
                    className={align}
                    aria-sort={sorted === false ? "none" : `${sorted}ending`}
                  >
                    <button type="button" onClick={column?.getToggleSortingHandler()}>
                      {title}
                      <span aria-hidden="true" className="sort">
                        {sorted === false ? "" : sorted === "asc" ? "▲" : "▼"}
                      </span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {held.rows.map((row) => (
              <tr key={row.id}>
                {/* A cell is no component: with other columns each link would be another one. */}
                {columns.map(({ id, align, value, cell }) => (
                  <td key={id} className={align}>
                    {cell === undefined ? value(row.original) : cell(row.original)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

/** How many rows wait, and the way to take them in. */
function Waiting<Row>({
  held: { waiting, takeIn, around },
}: {
  readonly held: Holding<Row>;
}): ReactElement {
  const show = ({ detail }: MouseEvent): void => {
    takeIn();
    // By the keyboard: the button that has the focus goes away.
    if (detail === 0) around.ref.current?.querySelector<HTMLElement>(".scroll")?.focus();
  };
  return (
    <div className="waiting-rows" role="status">
      {waiting === 0 ? null : (
        <button type="button" onClick={show}>
          {count(waiting)} new
        </button>
      )}
    </div>
  );
}
