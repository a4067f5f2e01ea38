import { expect, test } from "vitest";
import { accountsAuthorize, namedUser, parseAccounts } from "./users.ts";

const accounts = parseAccounts(
  "ada:operator:correct:horse-battery,\nbob:viewer:0123456789ab eve:viewer+payloads:ba9876543210",
);
const authorize = accountsAuthorize(accounts);
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

test.each([
  ["a name and its password", basic("ada:correct:horse-battery"), "operator"],
  ["a viewer's", basic("bob:0123456789ab"), "viewer"],
  ["a password as a token", "Bearer 0123456789ab", "viewer"],
  ["another's password", basic("ada:0123456789ab"), undefined],
  ["no name", basic(":0123456789ab"), undefined],
  ["a beginning", basic("bob:0123456789a"), undefined],
  ["nothing", undefined, undefined],
  ["an empty password", basic("bob:"), undefined],
  ["an empty token", "Bearer ", undefined],
  ["another scheme", "Digest bob:0123456789ab", undefined],
  ["no base64", "Basic ***", undefined],
])("%s", (_what, authorization, role) => {
  const headers = authorization === undefined ? {} : { authorization };
  const user = authorize(new Request("http://127.0.0.1/", { headers }));
  expect(user?.role).toBe(role);
  // What is handed on holds no password.
  if (user !== undefined) expect(Object.keys(user)).toEqual(["name", "role"]);
});

test("who may see payloads says so after the role; nobody else may", () => {
  const userOf = (text: string) =>
    authorize(new Request("http://127.0.0.1/", { headers: { authorization: basic(text) } }));
  expect(userOf("eve:ba9876543210")).toEqual({
    ...{ name: "eve", role: "viewer", payloads: true },
  });
  expect(userOf("bob:0123456789ab")).toEqual({ name: "bob", role: "viewer" });
});

test("whom a proxy names needs no password, and has no login by an empty one", () => {
  const named = parseAccounts("ada:operator *:viewer bob:viewer+payloads:0123456789ab");
  expect(namedUser(named, "ada")).toEqual({ name: "ada", role: "operator" });
  expect(namedUser(named, "bob")).toEqual({ name: "bob", role: "viewer", payloads: true });
  expect(namedUser(named, "carol")).toEqual({ name: "carol", role: "viewer" });
  for (const name of ["", "*", "ada,bob", "ada bob", "<b>", "a".repeat(65)])
    expect(namedUser(named, name), name).toBeUndefined();
  expect(namedUser(parseAccounts("ada:operator"), "carol")).toBeUndefined();
  const byPassword = accountsAuthorize(named);
  for (const text of ["ada:", "ada:undefined", "*:", ":"])
    expect(
      byPassword(new Request("http://127.0.0.1/", { headers: { authorization: basic(text) } })),
      text,
    ).toBeUndefined();
});

test.each([
  ["ada:operator+all:correct-horse", /entry 1 may have \+payloads/],
  ["ada:operator+payloads+:correct-horse", /entry 1 may have \+payloads/],
  ["ada:payloads:correct-horse", /entry 1 needs the role viewer or operator/],
  ["ada", /entry 1 needs the role/],
  [":operator:correct-horse", /entry 1 needs a name/],
  ["ada:admin:correct-horse", /entry 1 needs the role viewer or operator/],
  ["ada:operator:correct-horse bob:viewer:short", /entry 2 needs a password of at least 12/],
  ["<b>:operator:correct-horse", /entry 1 needs a name/],
  ["*:operator:correct-horse", /entry 1 needs a name/],
  ["ada:operator:", /entry 1 needs a password of at least 12/],
])("is refused without its password being told: %s", (text, message) => {
  const error = catchError(() => parseAccounts(text));
  expect(error).toMatchObject({ code: "invalid-option", message: expect.stringMatching(message) });
  expect(String(error)).not.toMatch(/correct-horse|short/);
});

function catchError(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
