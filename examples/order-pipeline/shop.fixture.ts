import { join } from "node:path";
import { connect } from "millrace";
import { expect } from "vitest";
import { startChild, type TestChild } from "../../test/harness/child.ts";
import { cleanUpLater } from "../../test/harness/cleanup.ts";
import { patient } from "../../test/harness/cluster/mode.ts";
import type { TestServer } from "../../test/harness/servers.ts";

export const DEADLINE_MS = 60_000;

export interface ShopUnderTest {
  readonly main: TestChild;
  readonly namespace: string;
  /** In the order they were taken: a book, a lamp, a ring with a stolen card. */
  readonly orders: readonly [book: string, lamp: string, ring: string];
}

/** The example, up and with its three orders taken. */
export async function startShop(
  server: TestServer,
  env: Readonly<Record<string, string>>,
): Promise<ShopUnderTest> {
  const namespace = server.namespace();
  const main = startChild(join(import.meta.dirname, "main.ts"), {
    env: { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace, ...env },
  });
  await main.line(/^up until Ctrl-C/, DEADLINE_MS);
  const [book = "", lamp = "", ring = "", ...more] = main
    .output()
    .map((line) => /^ordered .*"order":"([^"]+)"/.exec(line)?.[1])
    .filter((order) => order !== undefined);
  expect([ring === "", more], main.output().join("\n")).toEqual([false, []]);
  return { main, namespace, orders: [book, lamp, ring] };
}

/** SIGTERM: every process hands on what it has and ends well. */
export async function stopShop({ main }: ShopUnderTest): Promise<void> {
  main.signal("SIGTERM");
  expect(await main.exit(DEADLINE_MS), main.output().join("\n")).toEqual({ code: 0, signal: null });
}

/** The jobs' own results, told by the server and not by any telemetry. */
export async function expectResults(
  server: TestServer,
  { namespace, orders: [book, lamp, ring] }: ShopUnderTest,
): Promise<void> {
  const millrace = await connect({ servers: server.url, namespace, env: {} });
  cleanUpLater(() => millrace.close());
  const result = (id: string, queue: string): Promise<unknown> =>
    millrace.handle(id, queue).result({ timeout: patient(30_000) });
  const paid = async (order: string, item: string): Promise<void> => {
    expect(await result(`charge-${order}`, "payments")).toBe("paid");
    expect(await millrace.job(`charge-${order}`)).toMatchObject({ attempts: 2 });
    expect(await result(`ship-${order}`, "warehouse")).toBe(`${item} of ${order} is on its way`);
    expect(await millrace.job(`ship-${order}`)).toMatchObject({ attempts: 1 });
  };
  await paid(book, "a book");
  await paid(lamp, "a lamp");
  await expect(result(`charge-${ring}`, "payments")).rejects.toThrow("the bank keeps the card");
  expect(await millrace.job(`charge-${ring}`)).toMatchObject({ state: "dead", attempts: 1 });
}
