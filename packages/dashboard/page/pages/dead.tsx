import type { ReactElement } from "react";
import { Link, useSearchParams } from "wouter";
import type { DeadGroupView } from "../../src/api/views.ts";
import { groupAddress } from "../addresses.ts";
import { Answer, Page } from "../answer.tsx";
import { type DataColumn, DataTable } from "../data-table.tsx";
import { count, counted } from "../number.ts";
import { useDeadGroups } from "../questions.ts";
import { Moment } from "../time.tsx";

/** What jobs died of, the most frequent cause first. */
export function DeadPage(): ReactElement {
  const [search] = useSearchParams();
  const queue = search.get("queue") ?? "";
  const groups = useDeadGroups(queue);
  return (
    <Page title={queue === "" ? "Dead letters" : `Dead letters of ${queue}`}>
      {queue === "" ? null : (
        <p>
          <Link href="/dead">Show all queues</Link>
        </p>
      )}
      <Answer of={groups}>
        {(rows) => (
          <>
            {rows.length === 0 ? null : (
              <p className="quiet">
                {counted(
                  rows.reduce((sum, row) => sum + row.count, 0),
                  "letter",
                )}{" "}
                of {counted(rows.length, "cause")}.
              </p>
            )}
            <DataTable
              label="Causes"
              columns={COLUMNS}
              rows={rows}
              rowKey={groupAddress}
              empty={
                <p>
                  No dead letters. A job comes here when its attempts are spent, or when it can
                  never succeed, with its payload and the error.
                </p>
              }
            />
          </>
        )}
      </Answer>
    </Page>
  );
}

const COLUMNS: readonly DataColumn<DeadGroupView>[] = [
  {
    id: "count",
    title: "letters",
    align: "right",
    value: (group) => group.count,
    cell: (group) => <Link href={groupAddress(group)}>{count(group.count)}</Link>,
  },
  {
    id: "error",
    title: "error",
    value: ({ error }) => error ?? "",
    cell: (group) => (
      <Link href={groupAddress(group)}>
        <strong>{group.error ?? "no error"}</strong>
      </Link>
    ),
  },
  {
    id: "message",
    title: "last message",
    value: ({ message }) => message ?? "",
    cell: ({ message = "" }) => <span className="line">{message}</span>,
  },
  { id: "name", title: "job", value: ({ name }) => name ?? "?" },
  { id: "queue", title: "queue", value: ({ queue }) => queue },
  { id: "reason", title: "reason", value: ({ reason }) => reason },
  {
    id: "first",
    title: "first",
    align: "right",
    value: ({ firstAt }) => firstAt,
    cell: ({ firstAt }) => <Moment at={firstAt} />,
  },
  {
    id: "last",
    title: "last",
    align: "right",
    value: ({ lastAt }) => lastAt,
    cell: ({ lastAt }) => <Moment at={lastAt} />,
  },
];
