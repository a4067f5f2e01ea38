export {
  type Authorize,
  createDashboard,
  type Dashboard,
  type DashboardAccount,
  type DashboardOptions,
  type DashboardUser,
  parseAccounts,
  serveDashboard,
  type ServedDashboard,
  type ServeDashboardOptions,
} from "@millrace/dashboard";
