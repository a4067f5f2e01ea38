import { request } from "node:http";
import { SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import type { DashboardAccount } from "./access/users.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { serveDashboard, type ServeDashboardOptions } from "./serve-dashboard.ts";

/** Nothing else of it is asked for here. */
const millrace = {
  ...{ status: "connected", onStatus: () => () => {} },
  operations: { serve: async () => ({ stop: async () => {} }) },
  samples: { serve: async () => ({ stop: async () => {} }) },
  jobs: {
    async *watch({ signal }: { readonly signal: AbortSignal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      yield* [];
    },
  },
} as unknown as Fleet;
const ADA: DashboardAccount = { name: "ada", role: "operator" };
const ANYBODY: DashboardAccount = { name: "*", role: "viewer" };
const BOB = { name: "bob", role: "viewer", password: "0123456789ab" } as const;
const BEHIND_PROXY = { proxies: ["127.0.0.0/8"], userHeader: "X-Forwarded-User" } as const;

interface Answer {
  readonly status: number | undefined;
  readonly user: { readonly name: string; readonly role: string } | undefined;
  readonly challenge: string | undefined;
}

/** Serves, and asks who it takes a request with these headers for; each is sent as it is here. */
async function serving(options: Partial<ServeDashboardOptions>) {
  const served = await serveDashboard({ millrace, port: 0, localName: "me@here", ...options });
  onTestFinished(() => served.close());
  return (...headers: readonly (readonly [string, string])[]) =>
    new Promise<Answer>((resolve, reject) => {
      const { host } = new URL(served.url);
      const sent = request(
        `${served.url}api/session`,
        { headers: ["host", host, ...headers.flat()] },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("end", () => {
            const { user } = JSON.parse(text) as { readonly user?: Answer["user"] };
            const challenge = response.headers["www-authenticate"];
            resolve({ status: response.statusCode, user, challenge });
          });
        },
      );
      sent.on("error", reject).end();
    });
}

const named = (name: string) => ["X-Forwarded-User", name] as const;
const password = (text: string) => ["Authorization", `Bearer ${text}`] as const;
const from = (address: string) => ["X-Forwarded-For", address] as const;

test("whom a trusted proxy names is let in as what the accounts say, without a password", async () => {
  const ask = await serving({ ...BEHIND_PROXY, accounts: [ADA, ANYBODY] });
  expect(await ask(named("ada"))).toMatchObject({ user: { name: "ada", role: "operator" } });
  expect(await ask(["x-forwarded-user", " ada "])).toMatchObject({ user: { name: "ada" } });
  expect(await ask(named("carol"))).toMatchObject({ user: { name: "carol", role: "viewer" } });
  // Nobody is asked for a password that there is not.
  expect(await ask()).toEqual({ status: 401, user: undefined, challenge: undefined });
});

test.each([
  ["nobody", []],
  ["an empty name", [named("")]],
  ["a blank one", [named("  ")]],
  ["two people", [named("ada"), named("carol")]],
  ["the same one twice", [named("ada"), named("ada")]],
  ["twice, in other letters", [named("carol"), ["x-forwarded-user", "ada"] as const]],
  ["two in one line", [named("carol, ada")]],
  ["everybody", [named("*")]],
  ["markup", [named("<b>ada</b>")]],
  ["another header", [["X-Forwarded-Users", "ada"] as const]],
  ["a header with an underscore", [["X_Forwarded_User", "ada"] as const]],
  ["an account's name as a bearer token", [password("ada")]],
  ["the word undefined", [password("undefined")]],
])("a proxy that names %s lets nobody in", async (_what, headers) => {
  const ask = await serving({ ...BEHIND_PROXY, accounts: [ADA, ANYBODY] });
  expect((await ask(...headers)).status).toBe(401);
});

test.each([
  ["with the header", [named("ada")]],
  ["that says it comes from a proxy", [from("10.0.0.1"), named("ada")]],
  ["that says so in every way", [from("10.0.0.1"), ["X-Real-IP", "10.0.0.1"], named("ada")]],
] as const)("a stranger %s is nobody", async (_what, headers) => {
  const ask = await serving({ ...BEHIND_PROXY, proxies: ["10.0.0.0/8"], accounts: [ADA, BOB] });
  expect(await ask(...headers)).toMatchObject({ status: 401, challenge: expect.any(String) });
  // The header makes no difference to who has a password.
  expect(await ask(...headers, password(BOB.password))).toMatchObject({ user: { name: "bob" } });
});

test("whom the accounts don't name is nobody, whatever the proxy says", async () => {
  const ask = await serving({ ...BEHIND_PROXY, accounts: [ADA, BOB] });
  expect((await ask(named("mallory"))).status).toBe(401);
  expect(await ask(named("mallory"), password(BOB.password))).toMatchObject({
    user: { name: "bob" },
  });
});

test("a token of the proxy's own beside the name is no wrong password", async () => {
  const ask = await serving({ ...BEHIND_PROXY, accounts: [ADA] });
  for (let n = 0; n < 15; n += 1)
    expect(await ask(named("ada"), password("a-token-of-the-proxy"))).toMatchObject({
      user: { name: "ada" },
    });
});

test("behind a proxy, who tries passwords out locks itself out and nobody else", async () => {
  const ask = await serving({ proxies: ["127.0.0.1"], accounts: [BOB] });
  for (let n = 0; n < 10; n += 1)
    expect((await ask(from("192.0.2.1"), password(`wrong-${n}`))).status).toBe(401);
  expect((await ask(from("192.0.2.1"), password(BOB.password))).status).toBe(429);
  expect(await ask(from("192.0.2.2"), password(BOB.password))).toMatchObject({
    user: { name: "bob" },
  });
  // What it says on the left of what the proxy added changes nothing.
  const made = from("198.51.100.7, 192.0.2.1");
  expect((await ask(made, password(BOB.password))).status).toBe(429);
  expect((await ask(from("198.51.100.7"), made, password(BOB.password))).status).toBe(429);
});

test("where no proxy is trusted, another address each time is no way around the limit", async () => {
  const ask = await serving({ accounts: [BOB] });
  for (let n = 0; n < 10; n += 1) await ask(from(`192.0.2.${n}`), password(`wrong-${n}`));
  expect((await ask(from("192.0.2.99"), password(BOB.password))).status).toBe(429);
});

test.each([
  ["a header that anybody could send", { userHeader: "X-User", accounts: [ADA] }, "invalid-option"],
  ["a name that nobody gives", { accounts: [ADA] }, "invalid-option"],
  ["a proxy's name", { proxies: ["proxy.local"], accounts: [BOB] }, "invalid-option"],
  ["a proxy that is no list", { proxies: "10.0.0.1", accounts: [BOB] }, "invalid-option"],
  ["no header's name", { ...BEHIND_PROXY, userHeader: "a b", accounts: [ADA] }, "invalid-option"],
  ["a header, and nobody", { ...BEHIND_PROXY, accounts: [] }, "invalid-option"],
  ["a proxy, and no login", { proxies: ["127.0.0.1"] }, "dashboard-unprotected"],
])("does not start with %s", async (_what, options, code) => {
  await expect(serving(options as Partial<ServeDashboardOptions>)).rejects.toMatchObject({ code });
});

test("a page that a proxy let in is let in anew after five minutes, as the proxy may refuse it by then", async () => {
  const clock = new SimulatedClock();
  const options = { ...BEHIND_PROXY, accounts: [ADA], clock };
  const served = await serveDashboard({ millrace, port: 0, localName: "me@here", ...options });
  onTestFinished(() => served.close());
  const response = await fetch(`${served.url}api/live`, { headers: [[...named("ada")]] });
  let [breaths, isOver] = [0, false];
  const heard = (async () => {
    for await (const piece of response.body ?? [])
      breaths += new TextDecoder().decode(piece).split("event: alive").length - 1;
    isOver = true;
  })();
  for (let breath = 1; breath <= 20; breath += 1) {
    await expect.poll(() => breaths, { timeout: 20_000 }).toBe(breath);
    expect(isOver).toBe(false);
    await clock.advance("15s");
  }
  await heard;
});
