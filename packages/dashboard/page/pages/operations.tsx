import type { ReactElement } from "react";
import { Link } from "wouter";
import type { OperationView } from "../../src/api/views/views.ts";
import { operationAddress } from "../words/addresses.ts";
import { MOST_OPERATIONS } from "../../src/api/most.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { CutList } from "../tables/cut-list.tsx";
import { count } from "../words/number.ts";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { howFar, kindWords, OperationProgress, whichWords } from "../words/operation-words.tsx";
import { useOperations } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";
import { Moment } from "../words/time.tsx";

/** Changes of many things, from wherever they were asked for. */
export function OperationsPage(): ReactElement {
  const operations = useOperations();
  return (
    <Page title="Operations">
      <Answer of={operations}>
        {(rows) => (
          <>
            <DataTable
              label="Operations"
              isOfLatest
              columns={COLUMNS}
              rows={rows}
              rowKey={({ id }) => id}
              empty={
                <p>
                  Nobody has changed many things at once. Retry or discard all dead letters of a
                  cause, or cancel or reschedule all jobs that a filter on the page Jobs finds.
                </p>
              }
            />
            <CutList of={rows} most={MOST_OPERATIONS}>
              The last {count(MOST_OPERATIONS)} operations.{" "}
              <code>npx millrace operations list</code> has earlier ones.
            </CutList>
          </>
        )}
      </Answer>
    </Page>
  );
}

const COLUMNS: readonly DataColumn<OperationView>[] = [
  {
    id: "at",
    title: "when",
    align: "right",
    value: ({ at }) => at,
    cell: ({ at }) => <Moment at={at} />,
  },
  {
    id: "what",
    title: "what",
    value: kindWords,
    cell: (operation) => <Link href={operationAddress(operation.id)}>{kindWords(operation)}</Link>,
  },
  { id: "which", title: "which", value: whichWords },
  { id: "by", title: "who", value: ({ by }) => by },
  {
    id: "state",
    title: "state",
    value: ({ progress }) => progress.state,
    cell: ({ progress }) => <StateBadge state={progress.state} />,
  },
  {
    id: "far",
    title: "how far",
    value: howFar,
    cell: (operation) => <OperationProgress operation={operation} />,
  },
];
