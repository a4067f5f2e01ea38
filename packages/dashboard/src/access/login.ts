import { type Clock, MillraceError } from "@millrace/core";
import { type Sent, TrustedProxies, valuesOf } from "./trusted-proxies.ts";
import type { DashboardUser } from "./user.ts";
import { accountsAuthorize, type DashboardAccount, namedUser, requireAccounts } from "./users.ts";

interface LoginOptions {
  readonly accounts: readonly DashboardAccount[];
  readonly proxies: readonly string[] | undefined;
  readonly userHeader: string | undefined;
  readonly clock: Clock;
}

/**
 * The word of a proxy is of the moment of a request. One that goes on for longer, a page's live
 * feed, ends: the page comes back by itself, by way of the proxy, which may refuse it now.
 */
const NAMED_MS = 5 * 60_000;

/** Who it is that asks: by the word of a trusted proxy, or by a password. */
export interface Login {
  readonly takesPasswords: boolean;
  authorize(request: Request): DashboardUser | undefined;
  /** Whether a proxy names somebody who may log in; `authorize` then tells who. */
  isNamed(request: Request, sent: Sent): boolean;
  /** From where a request comes. */
  addressOf(sent: Sent): string;
}

/** @throws MillraceError `invalid-option` */
export function loginOf({ accounts, proxies = [], userHeader, clock }: LoginOptions): Login {
  requireAccounts(accounts);
  if (!Array.isArray(proxies)) throw wrong("proxies: must be a list of addresses.");
  const trusted = new TrustedProxies(proxies);
  requireHeader(userHeader, proxies, accounts);
  const byPassword = accountsAuthorize(accounts);
  const named = new WeakMap<Request, { readonly user: DashboardUser; readonly until: number }>();
  const nameOf = (sent: Sent): string | undefined => {
    if (userHeader === undefined || !trusted.sent(sent)) return undefined;
    // Sent twice, one of them may be the stranger's own that the proxy let through.
    const [name, ...others] = valuesOf(sent, userHeader.toLowerCase());
    return others.length > 0 ? undefined : name?.trim();
  };
  return {
    takesPasswords: accounts.some(({ password }) => password !== undefined),
    authorize: (request) => {
      const by = named.get(request);
      return by !== undefined && clock.monotonic() < by.until ? by.user : byPassword(request);
    },
    isNamed: (request, sent) => {
      const name = nameOf(sent);
      const user = name === undefined ? undefined : namedUser(accounts, name);
      if (user !== undefined) named.set(request, { user, until: clock.monotonic() + NAMED_MS });
      return user !== undefined;
    },
    addressOf: (sent) => trusted.addressOf(sent),
  };
}

function requireHeader(
  userHeader: string | undefined,
  proxies: readonly string[],
  accounts: readonly DashboardAccount[],
): void {
  const unreachable = accounts.find(({ password }) => password === undefined);
  if (userHeader === undefined && unreachable !== undefined)
    throw wrong(
      `accounts: ${unreachable.name} has no password, and no proxy names people. Set userHeader and proxies, or a password.`,
    );
  if (userHeader === undefined) return;
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(userHeader))
    throw wrong("userHeader: must be the name of a header, such as X-Forwarded-User.");
  if (proxies.length === 0)
    throw wrong(
      "userHeader: anybody can send a header. Name the proxies that are to be believed in proxies.",
    );
  if (accounts.length === 0)
    throw wrong("userHeader: accounts names nobody. Say who may do what: ada:operator, *:viewer.");
}

function wrong(message: string): MillraceError {
  return new MillraceError("invalid-option", message);
}
