import type { ErrorCode } from "./codes.ts";

/**
 * Where the documentation's site begins. The build of the packages puts it here: the `homepage` of
 * this package, which a release writes (`pnpm release --site URL`). Sources that run as they are,
 * and packages without a homepage, have none.
 */
declare const MILLRACE_SITE: string | undefined;

/**
 * The command that prints what a code means and what to do. By npx, as most have it in a project.
 */
export function errorCommand(code: ErrorCode): string {
  return `npx millrace docs ${code}`;
}

/** The address of a code's entry on a site that begins there. */
export function errorAddress(site: string, code: ErrorCode): string {
  return new URL(`errors.html#${code}`, site).href;
}

/**
 * The way to a code's entry: its address where the packages were released with that of their site,
 * else the command that prints it.
 */
export function errorHelp(code: ErrorCode): string {
  return typeof MILLRACE_SITE === "string" ? errorAddress(MILLRACE_SITE, code) : errorCommand(code);
}
