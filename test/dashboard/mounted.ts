import type { Millrace } from "millrace";
import { expect } from "vitest";
import { OF_THE_PAGE } from "./scene.ts";

/** A dashboard at this address serves its page, answers, changes, and feeds what is live. */
export async function servesBelow(
  address: string,
  queues: Pick<Millrace["queues"], "snapshot">,
): Promise<void> {
  const { origin, pathname } = new URL(address);
  for (const path of ["", "/", "/queues/mail"]) {
    const page = await (await fetch(`${address}${path}`)).text();
    expect(page, path).toContain(`<base href="${pathname}/">`);
  }
  const script = /src="([^"]+\.js)"/.exec(await (await fetch(address)).text())?.[1];
  const asset = await fetch(new URL(script ?? "", `${address}/`));
  expect(asset.headers.get("content-type")).toMatch(/javascript/);
  await asset.body?.cancel();
  const session = await fetch(`${address}/api/session`);
  expect(await session.json()).toMatchObject({ user: { name: "ada@example.com" } });

  const change = await fetch(`${address}/api/queues/mail/pause`, {
    method: "POST",
    headers: { ...OF_THE_PAGE, origin },
    body: JSON.stringify({ reason: "deploy" }),
  });
  expect({ status: change.status, body: await change.json() }).toMatchObject({ status: 200 });
  expect(await queues.snapshot("mail")).toMatchObject({ paused: { reason: "deploy" } });
  const foreign = await fetch(`${address}/api/queues/mail/resume`, {
    method: "POST",
    headers: { ...OF_THE_PAGE, origin: "https://evil.example" },
    body: "{}",
  });
  expect(foreign.status).toBe(403);
  await foreign.body?.cancel();

  const stop = new AbortController();
  const live = await fetch(`${address}/api/live`, { signal: stop.signal });
  expect(live.headers.get("content-type")).toMatch(/event-stream/);
  const { value } = (await live.body?.getReader().read()) ?? {};
  expect(new TextDecoder().decode(value)).not.toBe("");
  stop.abort();
}
