export {
  type Authorize,
  createDashboard,
  type Dashboard,
  type DashboardAccount,
  type DashboardOptions,
  type DashboardOutbox,
  type DashboardUser,
  type Fleet,
  parseAccounts,
  serveDashboard,
  type ServedDashboard,
  type ServeDashboardOptions,
} from "@millrace/dashboard";
