import { expect, test } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

describeServer("millrace queues create", "newest", (server) => {
  test("a queue without a node: created once, with its limits, and it takes jobs", async () => {
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const run = (...args: string[]) => millraceHere(args, { env });
    const refused = await run("enqueue", "j", "1", "--queue", "mail");
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("millrace queues create");
    const first = await run("queues", "create", "mail", "--max-jobs", "1", "--json");
    expect(first.json()).toEqual({ queue: "mail", created: true });
    expect((await run("queues", "create", "mail")).out).toBe("mail was there already\n");
    expect((await run("enqueue", "j", "1", "--queue", "mail")).code).toBe(0);
    expect((await run("enqueue", "j", "1", "--queue", "mail")).err).toContain("full");
    expect((await run("queues", "create", "no.such")).code).toBe(2);
  });
});
