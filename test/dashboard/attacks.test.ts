import { defineJob } from "millrace";
import { createDashboard } from "millrace/dashboard";
import { describe, expect, test } from "vitest";
import { claim } from "./claim.ts";
import { ADA, BOB, charge, OF_THE_PAGE, ORIGIN, scene, send } from "./scene.ts";

const PAUSE = "queues/mail/pause";

describe("a request of another site", () => {
  test.each([
    ["a form", { "content-type": "application/x-www-form-urlencoded" }],
    ["a form of plain text", { "content-type": "text/plain" }],
    ["JSON without the header", { "content-type": "application/json" }],
    ["the header without JSON", { "x-millrace-change": "1", "content-type": "text/plain" }],
    ["the header with another value", { ...OF_THE_PAGE, "x-millrace-change": "0" }],
    ["a page of another site", { ...OF_THE_PAGE, "sec-fetch-site": "cross-site" }],
    ["a page of a sister site", { ...OF_THE_PAGE, "sec-fetch-site": "same-site" }],
    ["nobody's page", { ...OF_THE_PAGE, "sec-fetch-site": "none" }],
    ["another origin", { ...OF_THE_PAGE, host: "127.0.0.1:8087", origin: "https://evil.example" }],
    ["another port", { ...OF_THE_PAGE, host: "127.0.0.1:8087", origin: "http://127.0.0.1:1" }],
    ["a document without an origin", { ...OF_THE_PAGE, host: "127.0.0.1:8087", origin: "null" }],
  ])("changes nothing: %s", async (_what, headers) => {
    const { post, get } = await scene();
    const answer = await post(PAUSE, {}, headers);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { code: "dashboard-denied" } });
    const { queue } = await get<{ queue: object }>("queues/mail");
    expect(queue).not.toHaveProperty("paused");
    expect(await get("audit")).toEqual([]);
  });

  test.each(["cross-site", "same-site"])("asks the fleet nothing: %s", async (site) => {
    const { dashboard } = await scene();
    const asked = (from: string): Promise<Response> =>
      dashboard(new Request(`${ORIGIN}/api/overview`, { headers: { "sec-fetch-site": from } }));
    const refused = await asked(site);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ error: { code: "dashboard-denied" } });
    for (const own of ["same-origin", "none"]) expect((await asked(own)).status).toBe(200);
  });

  test("is told apart from the page's own and from a program's", async () => {
    const { post } = await scene();
    const own = { ...OF_THE_PAGE, host: "127.0.0.1:8087", origin: ORIGIN };
    expect((await post(PAUSE, {}, own)).status).toBe(200);
    expect((await post(PAUSE, {}, { ...own, "sec-fetch-site": "same-origin" })).status).toBe(200);
    expect((await post(PAUSE, {})).status).toBe(200);
  });

  test("is never allowed to read an answer, nor to ask whether it may send one", async () => {
    const { dashboard } = await scene();
    for (const method of ["OPTIONS", "GET"]) {
      const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
      const answer = await dashboard(new Request(`${ORIGIN}/api/overview`, { method, headers }));
      const named = [...answer.headers.keys()];
      expect(named.filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(answer.headers.get("cross-origin-resource-policy")).toBe("same-origin");
    }
  });
});

describe("who may do what", () => {
  test("a dashboard without authorize is not made", async () => {
    const { t } = await scene();
    const careless = { millrace: t.client } as unknown as Parameters<typeof createDashboard>[0];
    expect(() => createDashboard(careless)).toThrow(
      expect.objectContaining({ code: "dashboard-unprotected" }),
    );
  });

  test("who is not let in gets nothing: no page, no file, no answer, no feed", async () => {
    const { dashboard } = await scene({ user: () => undefined });
    for (const path of ["", "jobs", "assets/main.js", "api/session", "api/overview", "api/live"]) {
      const answer = await dashboard(new Request(`${ORIGIN}/${path}`));
      expect(answer.status, path).toBe(401);
    }
  });

  test("a viewer looks at everything and changes nothing", async () => {
    const { post, get } = await scene({ user: () => BOB });
    expect(await get("session")).toMatchObject({ user: BOB });
    for (const path of [
      ...["dead/retry", "dead/discard", PAUSE, "queues/mail/resume", "queues/mail/purge"],
      ...[
        "jobs/mail/x/cancel",
        "jobs/mail/x/signal",
        "schedules/nightly/run",
        "schedules/nightly/pause",
        "schedules/nightly/change",
        "queues/mail/drain",
      ],
      "machines/claim/c-1/send",
      ...["nodes/test-node/quiet", "nodes/test-node/stop"],
      ...["operations", "operations/none/stop", "operations/none/undo"],
    ])
      expect((await post(path, { filter: { queue: "mail" } })).status, path).toBe(403);
    expect(await get("audit")).toEqual([]);
  });

  test("the name of who begins or stops an operation is authorize's, too", async () => {
    const { post, get } = await scene();
    const filter = { queue: "billing" };
    const begun = await post("operations", { kind: "dead-retry", filter, by: "mallory" });
    const { operation } = (await begun.json()) as { operation: string };
    expect(await get(`operations/${operation}`)).toMatchObject({ by: ADA.name });
    expect(await get("audit")).toMatchObject([{ by: ADA.name }]);
  });

  test("the name in the audit is authorize's, whatever the request says", async () => {
    const { post, get } = await scene();
    await post(PAUSE, { by: "mallory", user: { name: "mallory" } });
    expect(await get("audit")).toMatchObject([{ by: ADA.name }]);
  });
});

describe("every answer", () => {
  test.each(["", "api/overview", "api/jobs/mail/none", "assets/none.js", "api/nothing"])(
    "says that nothing of another site and nothing inline is run: /%s",
    async (path) => {
      const { dashboard } = await scene();
      const { headers } = await dashboard(new Request(`${ORIGIN}/${path}`));
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("cache-control")).toMatch(/no-store|immutable/);
    },
  );

  test("the page asks for nothing but its own files, under whatever path it is mounted", async () => {
    const { dashboard } = await scene({ basePath: "/admin/jobs/" });
    for (const path of ["/admin/jobs", "/admin/jobs/", "/admin/jobs/jobs/mail/7", "/dead"]) {
      const page = await (await dashboard(new Request(`${ORIGIN}${path}`))).text();
      expect(page).toContain('<base href="/admin/jobs/">');
      const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, to]) => to);
      expect(addresses.filter((to) => to?.includes("://"))).toEqual([]);
      for (const asset of addresses.filter((to) => to?.startsWith("assets/")))
        expect((await dashboard(new Request(`${ORIGIN}/admin/jobs/${asset}`))).status).toBe(200);
    }
  });

  test("a path that leaves the mount is no way to a file, nor into the page", async () => {
    const { dashboard, t } = await scene();
    for (const path of ["assets/..%2f..%2fpackage.json", "assets/%2e%2e%2fpackage.json"]) {
      const answer = await dashboard(new Request(`${ORIGIN}/${path}`));
      expect(await answer.text()).not.toContain("@millrace");
    }
    for (const basePath of ['/"><script>', "/a/../b", "/a b", "/api", "/api/jobs", "/assets/"])
      expect(() => createDashboard({ millrace: t.client, basePath, authorize: () => ADA })).toThrow(
        expect.objectContaining({ code: "invalid-option" }),
      );
  });

  test("below a path that begins like its own it answers whether the mount is taken off or not", async () => {
    const { dashboard } = await scene({ basePath: "/api/fleet" });
    for (const path of ["/api/fleet/api/overview", "/api/overview"])
      expect(await (await dashboard(new Request(`${ORIGIN}${path}`))).json()).toHaveProperty(
        "queues",
      );
  });
});

describe("what is sent", () => {
  test.each([
    ["no JSON", "{"],
    ["another kind", "[]"],
    ["a number as a queue", JSON.stringify({ filter: { queue: 7 } })],
    ["an object as a name", JSON.stringify({ filter: { name: {} } })],
    ["a misspelt field", JSON.stringify({ filter: { queue: "billing", nmae: "charge" } })],
    ["a prototype", '{"filter":{"__proto__":{"queue":"billing"}}}'],
    ["too much", JSON.stringify({ filter: { queue: "x".repeat(100_000) } })],
  ])("is refused without a trace of how it is made: %s", async (_what, body) => {
    const { dashboard, t } = await scene();
    await t.enqueue(charge, { n: 1 });
    await t.drain();
    const answer = await dashboard(
      new Request(`${ORIGIN}/api/dead/discard`, { method: "POST", headers: OF_THE_PAGE, body }),
    );
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(await answer.text()).not.toMatch(/node_modules|\.ts:\d/);
    expect(await t.deadLetters()).toHaveLength(1);
  });

  test("in another encoding is refused: its payload would be another one", async () => {
    const { dashboard, t } = await scene();
    await t.enqueue(charge, { n: 1 });
    await t.drain();
    const body = Buffer.from('{"filter":{"reason":"\u{fc}"}}', "latin1");
    const answer = await dashboard(
      new Request(`${ORIGIN}/api/dead/discard`, { method: "POST", headers: OF_THE_PAGE, body }),
    );
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { code: "invalid-option", message: expect.stringMatching(/UTF-8/) as string },
    });
    expect(await t.deadLetters()).toHaveLength(1);
  });

  test("by a producer as a payload, a name or a tag is told as data, and as nothing else", async () => {
    const { dashboard, t } = await scene();
    const evil = "<script>alert(1)</script>";
    await t.enqueue(send, { n: evil as unknown as number }, { id: "evil" });
    await t.drain();
    const answer = await dashboard(new Request(`${ORIGIN}/api/jobs/mail/evil`));
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    expect(await answer.json()).toMatchObject({ result: { sent: evil } });
  });

  test.each(["id", "queue", "name", "schedule", "machine"])(
    "cannot be markup where it becomes a part of an address: %s",
    async (what) => {
      const { t } = await scene();
      const evil = "<img/src=x/onerror=alert(1)>";
      const tried: Readonly<Record<string, () => Promise<unknown>>> = {
        id: () => t.enqueue(send, { n: 1 }, { id: evil }),
        queue: () => t.client.queues.ensure(evil),
        name: async () => defineJob({ name: evil, queue: "mail" }),
        schedule: () =>
          t.client.cron.add({ name: evil, cron: "* * * * *", job: "mail.send", queue: "mail" }),
        machine: async () => t.machine(claim, evil).start({ customer: "ann" }),
      };
      await expect(tried[what]?.()).rejects.toMatchObject({
        code: expect.stringMatching(/^invalid-/),
      });
    },
  );
});
