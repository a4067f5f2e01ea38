import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "./fleet/fleet.ts";
import { isLoopback, serveDashboard } from "./serve-dashboard.ts";

/** Nothing else of it is asked for here. */
const millrace = {
  onStatus: () => () => {},
  operations: { serve: async () => ({ stop: async () => {} }) },
} as unknown as Fleet;
const BOB = { name: "bob", role: "viewer", password: "0123456789ab" } as const;
const usual = { millrace, port: 0, localName: "me@here" };

test.each(["0.0.0.0", "::", "192.0.2.1", "example.test", ""])(
  "on %j it does not start where nobody has to log in",
  async (host) => {
    await expect(serveDashboard({ ...usual, host })).rejects.toMatchObject({
      code: "dashboard-unprotected",
      message: expect.stringContaining("MILLRACE_UI_USERS"),
    });
  },
);

test.each([
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["localhost", true],
  ["::1", true],
  ["127.0.0.1.evil.example", false],
  ["0.0.0.0", false],
])("%s is this machine alone: %j", (host, isLocal) => {
  expect(isLoopback(host)).toBe(isLocal);
});

// Other systems have one such address.
test.skipIf(process.platform !== "linux")(
  "another address of this machine alone is reached by the address that is printed",
  async () => {
    const served = await serveDashboard({ ...usual, host: "127.0.0.2" });
    onTestFinished(() => served.close());
    expect((await fetch(`${served.url}api/session`)).status).toBe(200);
  },
);

test("who has no password is asked for one, and who has one is let in", async () => {
  const served = await serveDashboard({ ...usual, host: "0.0.0.0", accounts: [BOB] });
  onTestFinished(() => served.close());
  const url = served.url.replace("0.0.0.0", "127.0.0.1");
  const refused = await fetch(`${url}api/session`);
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toMatch(/^Basic realm="Millrace"/);
  const headers = { authorization: `Bearer ${BOB.password}` };
  expect(await (await fetch(`${url}api/session`, { headers })).json()).toMatchObject({
    user: { name: "bob", role: "viewer" },
  });
});

test("the page of metrics is for those who may look, by a name and a password or a token", async () => {
  const metrics = async (): Promise<string> => "millrace_queue_depth 1\n";
  const served = await serveDashboard({ ...usual, accounts: [BOB], metrics });
  onTestFinished(() => served.close());
  const page = `${served.url}metrics`;
  const basic = `Basic ${Buffer.from(`${BOB.name}:${BOB.password}`).toString("base64")}`;
  for (const authorization of [basic, `Bearer ${BOB.password}`]) {
    const response = await fetch(page, { headers: { authorization } });
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await response.text()).toBe("millrace_queue_depth 1\n");
    const foreign = { authorization, "sec-fetch-site": "cross-site" };
    expect((await fetch(page, { headers: foreign })).status).toBe(403);
  }
  expect((await fetch(page)).status).toBe(401);
});

test("passwords can't be tried out: after ten wrong ones the right one is not listened to", async () => {
  const served = await serveDashboard({ ...usual, accounts: [BOB] });
  onTestFinished(() => served.close());
  const session = (password?: string): Promise<Response> =>
    fetch(`${served.url}api/session`, {
      headers: password === undefined ? {} : { authorization: `Bearer ${password}` },
    });
  for (let n = 0; n < 10; n += 1) {
    expect((await session()).status).toBe(401);
    expect((await session(`${BOB.password}${n}`)).status).toBe(401);
  }
  const refused = await session(BOB.password);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ error: { code: "dashboard-denied" } });
});

test("nor all at once, in one piece: what comes behind ten wrong ones is not judged", async () => {
  const served = await serveDashboard({ ...usual, accounts: [BOB] });
  onTestFinished(() => served.close());
  const { connect } = await import("node:net");
  const { hostname, port } = new URL(served.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  const passwords = [...Array.from({ length: 15 }, (_, n) => `wrong-password-${n}`), BOB.password];
  const asked = passwords.map(
    (password) =>
      `GET /api/session HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${password}\r\n\r\n`,
  );
  const statuses = await new Promise<readonly string[]>((resolve, reject) => {
    let seen = "";
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      seen += chunk.toString("latin1");
      const found = seen.match(/HTTP\/1\.1 \d{3}/g) ?? [];
      if (found.length === passwords.length) resolve(found.map((line) => line.slice(-3)));
    });
    socket.write(asked.join(""));
  });
  expect(statuses).toEqual([
    ...Array.from({ length: 10 }, () => "401"),
    ...Array.from({ length: 6 }, () => "429"),
  ]);
});

test("a port that is taken is said to be, and another server's name is not answered to", async () => {
  const served = await serveDashboard(usual);
  onTestFinished(() => served.close());
  const port = Number(new URL(served.url).port);
  await expect(serveDashboard({ ...usual, port })).rejects.toMatchObject({
    code: "dashboard-port-taken",
  });
  // fetch sets the host by itself.
  const { request } = await import("node:http");
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asked = request(served.url, { headers: { host: "evil.example" } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });
  expect(status).toBe(403);
});

test.each<[string, unknown]>([
  ["an empty password", [{ ...BOB, password: "" }]],
  ["a short password", [BOB, { ...BOB, name: "ada", password: "hunter2" }]],
  ["a password that is no text", [{ ...BOB, password: 123456789012 }]],
  ["nothing for a password", [{ ...BOB, password: null }]],
  ["no name", [{ ...BOB, name: "" }]],
  ["anybody's name with a password", [{ ...BOB, name: "*" }]],
  ["a name with a colon", [{ ...BOB, name: "a:b" }]],
  ["no role", [{ ...BOB, role: "admin" }]],
  ["a word for a right", [{ ...BOB, payloads: "no" }]],
  ["no account", [null]],
  ["no list", BOB],
  ["nothing", null],
])("accounts with %s are refused, and no password is said", async (_, accounts) => {
  const options = { ...usual, accounts, host: "0.0.0.0" } as Parameters<typeof serveDashboard>[0];
  const error: unknown = await serveDashboard(options).then(
    (served) => served.close(),
    (refused: unknown) => refused,
  );
  expect(error).toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(/^accounts: /),
  });
  expect(String(error)).not.toMatch(/hunter2|123456789012|0123456789ab/);
});
