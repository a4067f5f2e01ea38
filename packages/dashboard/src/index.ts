export { type DashboardAccount, parseAccounts } from "./access/users.ts";
export type { Authorize, DashboardUser } from "./access/user.ts";
export { createDashboard, type Dashboard, type DashboardOptions } from "./create-dashboard.ts";
export type { Fleet } from "./fleet/fleet.ts";
export type { DashboardDoctor, DashboardFinding } from "./fleet/doctor.ts";
export type { DashboardSearch, SearchedJob, SearchedRate, SearchedState } from "./fleet/search.ts";
export type { DashboardOutbox } from "./fleet/outbox.ts";
export {
  serveDashboard,
  type ServedDashboard,
  type ServeDashboardOptions,
} from "./serve-dashboard.ts";
