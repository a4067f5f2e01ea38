import { useQueryClient } from "@tanstack/react-query";
import type { ReactElement } from "react";
import type { DoctorView } from "../../src/api/views/views.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { counted } from "../words/number.ts";
import { useDoctor } from "../questions/questions.ts";
import { StateBadge } from "../words/state-badge.tsx";

type Finding = DoctorView["findings"][number];

/** What `millrace doctor` says: what is wrong with the server and the namespace, and what to do. */
export function DoctorPage(): ReactElement {
  const doctor = useDoctor();
  const queries = useQueryClient();
  return (
    <Page title="Doctor">
      <div className="actions">
        <button
          type="button"
          disabled={doctor.isFetching}
          onClick={() => void queries.invalidateQueries({ queryKey: ["doctor"] })}
        >
          {doctor.isFetching ? "Looking …" : "Look again"}
        </button>
      </div>
      <Answer of={doctor}>
        {({ findings }) => (
          <>
            <p>{summary(findings)}</p>
            <DataTable
              label="What was looked at"
              columns={COLUMNS}
              rows={findings}
              rowKey={({ check, message }) => `${check} ${message}`}
              empty={<p>Nothing was looked at.</p>}
            />
          </>
        )}
      </Answer>
    </Page>
  );
}

function summary(findings: readonly Finding[]): string {
  const of = (status: Finding["status"]): number =>
    findings.filter((finding) => finding.status === status).length;
  const [failed, warned] = [of("fail"), of("warn")];
  if (failed + warned === 0) return `${counted(findings.length, "check")}, and nothing is wrong.`;
  return `${counted(findings.length, "check")}: ${failed} failed, ${counted(warned, "warning")}.`;
}

const COLUMNS: readonly DataColumn<Finding>[] = [
  {
    id: "status",
    title: "state",
    value: ({ status }) => status,
    cell: ({ status }) => <StateBadge state={status} />,
  },
  { id: "check", title: "looked at", value: ({ check }) => check },
  { id: "message", title: "seen", value: ({ message }) => message },
  { id: "advice", title: "what to do", value: ({ advice }) => advice ?? "" },
];
