import { type ReactElement, useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import { type DeadGroupView, MOST_CAUSES } from "../../src/api/dead-views.ts";
import { groupAddress } from "../addresses.ts";
import { Answer, Page } from "../answer.tsx";
import { type DataColumn, DataTable } from "../data-table.tsx";
import { DeadFilterField } from "../filter-field.tsx";
import { LetterActions } from "../letter-actions.tsx";
import { count, counted } from "../number.ts";
import { BARS, barsOf, type Hours, hoursOf } from "../over-hours.ts";
import { useDeadGroups } from "../questions.ts";
import { Sparkline } from "../sparkline.tsx";
import { duration, Moment } from "../time.tsx";

/** What jobs died of, the most frequent cause first. The filter stands in the address. */
export function DeadPage(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const queue = search.get("queue") ?? "";
  const filter = search.get("filter") ?? "";
  const groups = useDeadGroups(queue, filter);
  const columns = useMemo(
    () => columnsFor(filter, hoursOf(groups.data ?? [], groups.dataUpdatedAt)),
    [filter, groups.data, groups.dataUpdatedAt],
  );
  return (
    <Page
      title={queue === "" ? "Dead letters" : `Dead letters of ${queue}`}
      actions={
        filter === "" ? undefined : (
          <LetterActions
            filter={{ ...(queue === "" ? {} : { queue }), where: filter }}
            which={`dead letters${queue === "" ? "" : ` of ${queue}`} that fit ${filter}`}
          />
        )
      }
    >
      {queue === "" ? null : (
        <p>
          <Link href="/dead">Show all queues</Link>
        </p>
      )}
      <search>
        <form className="filter" onSubmit={(event) => event.preventDefault()}>
          <DeadFilterField
            key={filter}
            terms={filter}
            set={(terms) => setSearch({ ...given({ queue, filter: terms }) }, { replace: true })}
          />
        </form>
      </search>
      <Answer of={groups}>
        {(rows) => (
          <>
            {rows.length === 0 ? null : (
              <p className="quiet">
                {counted(
                  rows.reduce((sum, row) => sum + row.count, 0),
                  "letter",
                )}{" "}
                of{" "}
                {rows.length < MOST_CAUSES
                  ? counted(rows.length, "cause")
                  : `the ${MOST_CAUSES} most frequent causes`}
                {filter === "" ? "." : `, that fit ${filter}.`}
              </p>
            )}
            <DataTable
              label="Causes"
              columns={columns}
              rows={rows}
              rowKey={(group) => groupAddress(group)}
              empty={
                filter === "" ? (
                  <p>
                    No dead letters. A job comes here when its attempts are spent, or when it can
                    never succeed, with its payload and the error.
                  </p>
                ) : (
                  <p>No dead letter fits.</p>
                )
              }
            />
          </>
        )}
      </Answer>
    </Page>
  );
}

function given(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

function spanWords({ stepMs }: Pick<Hours, "stepMs">): string {
  const hours = (BARS * stepMs) / 3_600_000;
  return hours === BARS ? `${hours}h` : duration(BARS * stepMs);
}

/** `12 in 24h, at most 7 in 1h`. */
function hourWords(bars: readonly number[], { stepMs }: Hours): string {
  const died = bars.reduce((sum, value) => sum + value, 0);
  const most = Math.max(...bars);
  return `${count(died)} in ${spanWords({ stepMs })}, at most ${count(most)} in ${duration(stepMs)}`;
}

/** `web-1`, `web-1 and 3 more`. */
function nodeWords({ nodes, nodeCount }: Pick<DeadGroupView, "nodes" | "nodeCount">): string {
  const [first] = nodes;
  if (first === undefined) return "–";
  return nodeCount === 1 ? first.node : `${first.node} and ${count(nodeCount - 1)} more`;
}

/** Groups that are opened are filtered as they were here. */
const columnsFor = (filter: string, hours: Hours): readonly DataColumn<DeadGroupView>[] => [
  {
    id: "count",
    title: "letters",
    align: "right",
    value: (group) => group.count,
    cell: (group) => <Link href={groupAddress(group, filter)}>{count(group.count)}</Link>,
  },
  {
    id: "error",
    title: "error",
    value: ({ error }) => error ?? "",
    cell: (group) => (
      <Link href={groupAddress(group, filter)}>
        <strong className="line">{group.error ?? "no error"}</strong>
      </Link>
    ),
  },
  {
    id: "message",
    title: "message",
    value: ({ pattern }) => pattern ?? "",
    cell: ({ pattern = "" }) => <span className="line">{pattern}</span>,
  },
  {
    id: "frame",
    title: "failed in",
    value: ({ frame }) => frame ?? "",
    cell: ({ frame = "" }) => <code>{frame}</code>,
  },
  {
    id: "over-time",
    title: `last ${spanWords(hours)}`,
    value: (group) => barsOf(group, hours).reduce((sum, value) => sum + value, 0),
    cell: (group) => {
      const bars = barsOf(group, hours);
      return <Sparkline bars={bars} words={hourWords(bars, hours)} />;
    },
  },
  { id: "name", title: "job", value: ({ name }) => name ?? "?" },
  { id: "queue", title: "queue", value: ({ queue }) => queue },
  {
    id: "nodes",
    title: "nodes",
    value: ({ nodeCount }) => nodeCount,
    cell: (group) => <Link href={groupAddress(group, filter)}>{nodeWords(group)}</Link>,
  },
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
