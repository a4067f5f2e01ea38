import { createHash, timingSafeEqual } from "node:crypto";
import { MillraceError } from "@millrace/core";
import type { Authorize, DashboardUser } from "./user.ts";

/** Somebody who may log in. `*` as a name, without a password: whoever else a proxy names. */
export interface DashboardAccount extends DashboardUser {
  /** At least 12 characters. Without one, only a trusted proxy says that they are there. */
  readonly password?: string;
}

const SHORTEST_PASSWORD = 12;
const NAME = /^[\p{L}\p{N}._@-]{1,64}$/u;

/** The account of users whom a proxy names and the configuration does not. */
const ANYBODY = "*";

/**
 * Accounts from a text: `ada:operator:PASSWORD` or, who may see payloads, `bob:viewer+payloads:…`;
 * one a line or with commas between them. A password may hold colons, but no comma and no blank.
 * Whom a trusted proxy names needs none: `ada:operator`, and `*:viewer` for everybody else.
 *
 * @throws MillraceError `invalid-option`; its message never holds a password
 */
export function parseAccounts(text: string): readonly DashboardAccount[] {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  return entries.map((entry, index) => {
    const [name = "", rights = "", ...rest] = entry.split(":");
    const [role = "", ...more] = rights.split("+");
    const password = rest.join(":");
    const account = {
      ...{ name, role },
      ...(rest.length === 0 ? {} : { password }),
      ...(more.length === 0 ? {} : { payloads: true }),
    };
    const problem = problemOf(account, "after the name");
    if (problem !== undefined) throw wrong(index, problem);
    if (more.length > 1 || (more.length === 1 && more[0] !== "payloads"))
      throw wrong(index, "may have +payloads after the role, and nothing else");
    return account as DashboardAccount;
  });
}

/**
 * What a program hands over is looked at like a text: an empty password would let everybody in.
 *
 * @throws MillraceError `invalid-option`; its message never holds a password
 */
export function requireAccounts(accounts: unknown): void {
  if (!Array.isArray(accounts))
    throw new MillraceError("invalid-option", "accounts: must be a list.");
  for (const [index, account] of accounts.entries()) {
    const problem =
      typeof account === "object" && account !== null
        ? problemOf(account, "in role")
        : "must be an object with a name and a role";
    if (problem !== undefined)
      throw new MillraceError("invalid-option", `accounts: entry ${index + 1} ${problem}.`);
  }
}

function problemOf(
  { name, role, password, payloads }: Readonly<Partial<Record<keyof DashboardAccount, unknown>>>,
  where: string,
): string | undefined {
  const isNamedByProxy = password === undefined;
  const isName = typeof name === "string" && NAME.test(name);
  if (!isName && !(isNamedByProxy && name === ANYBODY))
    return "needs a name of letters, digits, dots, - and @";
  if (role !== "viewer" && role !== "operator") return `needs the role viewer or operator ${where}`;
  if (payloads !== undefined && typeof payloads !== "boolean")
    return "needs true or false in payloads";
  if (!isNamedByProxy && (typeof password !== "string" || password.length < SHORTEST_PASSWORD))
    return `needs a password of at least ${SHORTEST_PASSWORD} characters`;
  return undefined;
}

/**
 * Who stands behind HTTP's Basic credentials, or behind a bearer token that is a password. Says so
 * at once, so that what comes in the same piece as a wrong password is judged after it.
 */
export function accountsAuthorize(
  accounts: readonly DashboardAccount[],
): (...given: Parameters<Authorize>) => DashboardUser | undefined {
  const known = accounts.flatMap(({ password, ...account }) =>
    password === undefined
      ? []
      : {
          user: userOf(account.name, account),
          basic: digest(`${account.name}:${password}`),
          bearer: digest(password),
        },
  );
  return (request) => {
    const given = credentialsOf(request.headers.get("authorization"));
    if (given === undefined) return undefined;
    const hash = digest(given.text);
    // All are compared, so that the time says nothing about which one fits.
    return known.filter((account) => timingSafeEqual(account[given.kind], hash))[0]?.user;
  };
}

/** Who it is that a proxy names, if they may log in. */
export function namedUser(
  accounts: readonly DashboardAccount[],
  name: string,
): DashboardUser | undefined {
  if (!NAME.test(name)) return undefined;
  const account =
    accounts.find((one) => one.name === name) ?? accounts.find((one) => one.name === ANYBODY);
  return account === undefined ? undefined : userOf(name, account);
}

/** What is handed on holds no password. */
function userOf(
  name: string,
  { role, payloads }: Pick<DashboardAccount, "role" | "payloads">,
): DashboardUser {
  return { name, role, ...(payloads === true ? { payloads } : {}) };
}

function credentialsOf(
  header: string | null,
): { readonly kind: "basic" | "bearer"; readonly text: string } | undefined {
  const [, scheme = "", value = ""] = /^(basic|bearer) +(\S+)$/i.exec(header ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return { kind: "bearer", text: value };
  if (scheme.toLowerCase() === "basic")
    return { kind: "basic", text: Buffer.from(value, "base64").toString("utf8") };
  return undefined;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function wrong(index: number, why: string): MillraceError {
  return new MillraceError("invalid-option", `users: entry ${index + 1} ${why}.`);
}
