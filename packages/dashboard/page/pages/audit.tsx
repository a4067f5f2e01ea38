import type { ReactElement } from "react";
import type { AuditView } from "../../src/api/views/views.ts";
import { MOST_CHANGES } from "../../src/api/most.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { CutList } from "../tables/cut-list.tsx";
import { count } from "../words/number.ts";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { useAudit } from "../questions/questions.ts";
import { Moment } from "../words/time.tsx";

/** Who changed what, from here and from the command line. */
export function AuditPage(): ReactElement {
  const audit = useAudit();
  return (
    <Page title="Audit">
      <Answer of={audit}>
        {(records) => (
          <>
            <DataTable
              label="Changes"
              isOfLatest
              columns={COLUMNS}
              rows={records}
              rowKey={({ id }) => id}
              empty={
                <p>Nobody has changed anything yet. Each change is kept here, with who made it.</p>
              }
            />
            <CutList of={records} most={MOST_CHANGES}>
              The last {count(MOST_CHANGES)} changes.{" "}
              <code>npx millrace audit list --limit 1000</code> has earlier ones.
            </CutList>
          </>
        )}
      </Answer>
    </Page>
  );
}

const COLUMNS: readonly DataColumn<AuditView>[] = [
  {
    id: "at",
    title: "when",
    align: "right",
    value: ({ at }) => at,
    cell: ({ at }) => <Moment at={at} />,
  },
  { id: "by", title: "who", value: ({ by }) => by },
  { id: "action", title: "what", value: ({ action }) => action },
  { id: "which", title: "which", value: ({ which }) => which },
  { id: "outcome", title: "outcome", value: ({ outcome }) => outcome },
  { id: "reason", title: "why", value: ({ reason }) => reason ?? "" },
];
