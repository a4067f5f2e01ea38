import type { ShowValue } from "@millrace/telemetry/masking";
import type { DashboardDoctor, DashboardFinding } from "../fleet/doctor.ts";
import { givenPart } from "./changes/given-part.ts";
import type { DoctorView } from "./views/views.ts";

/** What has to be done comes first. */
const ORDER: Readonly<Record<DashboardFinding["status"], number>> = {
  fail: 0,
  warn: 1,
  ok: 2,
  skip: 3,
};

/** @throws MillraceError `invalid-option` where the dashboard has no doctor */
export async function doctorView(
  doctor: DashboardDoctor | undefined,
  show: ShowValue,
): Promise<DoctorView> {
  const findings = await givenPart(doctor, "doctor")();
  return {
    findings: findings
      .map(({ check, status, message, advice }) => ({
        ...{ check, status, message: String(show(message)) },
        ...(advice === undefined ? {} : { advice: String(show(advice)) }),
      }))
      .toSorted((one, other) => ORDER[one.status] - ORDER[other.status]),
  };
}
