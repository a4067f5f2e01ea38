import type { ReactElement } from "react";
import type { OutboxQueueView, OutboxRowView } from "../../src/api/views/outbox-views.ts";
import { Action } from "../actions/action.tsx";
import { Answer, Page } from "../questions/answer.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { count, counted } from "../words/number.ts";
import { useOutbox } from "../questions/questions.ts";
import { duration } from "../words/time.tsx";

/** What was committed and is not published: how much, since when, and why not. */
export function OutboxPage(): ReactElement {
  const outbox = useOutbox();
  return (
    <Page title="Outbox">
      <Answer of={outbox}>
        {({ queues, rows }) => (
          <>
            <DataTable
              label="Queues of the outbox"
              columns={QUEUES}
              rows={queues}
              rowKey={({ queue }) => queue}
              empty={
                <p>
                  The outbox is empty. What a transaction enqueues is shown until a relay has
                  published it.
                </p>
              }
            />
            <h2>Set aside</h2>
            {rows.length === 0 ? null : (
              <div className="actions">
                <Retry rows={queues.reduce((sum, { setAside }) => sum + setAside, 0)} />
              </div>
            )}
            <DataTable
              label="Rows that were set aside"
              columns={ROWS}
              rows={rows}
              rowKey={({ seq }) => String(seq)}
              empty={<p>No row was set aside: each can be published.</p>}
            />
          </>
        )}
      </Answer>
    </Page>
  );
}

function Retry({ rows, queue }: { readonly rows: number; readonly queue?: string }): ReactElement {
  const of = queue === undefined ? "" : ` of ${queue}`;
  return (
    <Action
      label={queue === undefined ? "Retry all" : "Retry"}
      question={`Retry ${counted(rows, "row")}${of}?`}
      path="outbox/retry"
      body={queue === undefined ? {} : { queue }}
      done={({ count: done }) => `${counted(done, "row")} may be published again.`}
    >
      <p>A relay tries them once more. What has not been mended is set aside again.</p>
    </Action>
  );
}

const QUEUES: readonly DataColumn<OutboxQueueView>[] = [
  { id: "queue", title: "queue", value: ({ queue }) => queue },
  {
    id: "waiting",
    title: "waiting",
    align: "right",
    value: ({ waiting }) => waiting,
    cell: ({ waiting }) => count(waiting),
  },
  {
    id: "oldest",
    title: "oldest",
    align: "right",
    value: ({ oldestAgeMs }) => oldestAgeMs,
    cell: ({ waiting, oldestAgeMs }) => (waiting === 0 ? "" : duration(oldestAgeMs)),
  },
  {
    id: "aside",
    title: "set aside",
    align: "right",
    value: ({ setAside }) => setAside,
    cell: ({ setAside }) => count(setAside),
  },
  {
    id: "trouble",
    title: "why it waits",
    value: ({ trouble }) => trouble ?? "",
    cell: ({ trouble, troubleMs = 0 }) =>
      trouble === undefined ? "" : `${trouble} (for ${duration(troubleMs)})`,
  },
  {
    id: "act",
    title: "change",
    value: ({ setAside }) => setAside,
    cell: ({ queue, setAside }) => (setAside === 0 ? "" : <Retry rows={setAside} queue={queue} />),
  },
];

const ROWS: readonly DataColumn<OutboxRowView>[] = [
  { id: "row", title: "row", align: "right", value: ({ seq }) => seq },
  { id: "queue", title: "queue", value: ({ queue }) => queue },
  { id: "id", title: "id", value: ({ id }) => id },
  {
    id: "age",
    title: "set aside",
    align: "right",
    value: ({ ageMs }) => ageMs,
    cell: ({ ageMs }) => `${duration(ageMs)} ago`,
  },
  {
    id: "why",
    title: "why",
    value: ({ reason, detail }) => `${reason}: ${detail}`,
  },
];
