// app/admin/jobs/[[...path]]/route.ts
import { connect } from "millrace";
import { createDashboard, type Dashboard } from "millrace/dashboard";

// One for the process. `next build` loads this file too, where no server needs to be.
const shared = globalThis as { dashboard?: Promise<Dashboard> };

async function makeDashboard(): Promise<Dashboard> {
  return createDashboard({
    millrace: await connect({ waitForServer: true }),
    basePath: "/admin/jobs",
    authorize: () => ({ name: "ada@example.com", role: "operator" }), // whom your login knows
  });
}

export const runtime = "nodejs"; // the edge runtime has no TCP

async function dashboard(request: Request): Promise<Response> {
  const answer = await (shared.dashboard ??= makeDashboard());
  return answer(request);
}

export { dashboard as GET, dashboard as POST };
