import type { DashboardFinding } from "millrace/dashboard";
import { expect, test } from "vitest";
import { BOB, scene } from "./scene.ts";

const FINDINGS: readonly DashboardFinding[] = [
  { check: "connection", status: "ok", message: "2 ms away" },
  { check: "sync", status: "skip", message: "Only the system account is told." },
  { check: "nodes", status: "warn", message: "silent: token=s3cr3t-value", advice: "Look at it." },
  { check: "queue mail", status: "fail", message: "full", advice: "password=hunter2hunter2" },
];

test("what the doctor finds is told to viewers too: what fails first, without secrets", async () => {
  const { get } = await scene({ user: () => BOB, doctor: async () => FINDINGS });
  expect(await get("session")).toMatchObject({ doctor: true });
  const view = await get<{ findings: readonly DashboardFinding[] }>("doctor");
  expect(view.findings.map(({ check, status }) => `${status} ${check}`)).toEqual([
    "fail queue mail",
    "warn nodes",
    "ok connection",
    "skip sync",
  ]);
  expect(view.findings[3]).toEqual(FINDINGS[1]);
  expect(JSON.stringify(view)).not.toMatch(/s3cr3t-value|hunter2hunter2/);
});

test("a dashboard without a doctor says so, and has no page of it", async () => {
  const { get } = await scene();
  expect(await get("session")).toMatchObject({ doctor: false });
  await expect(get("doctor")).rejects.toThrow(/400.*This dashboard has no doctor/);
});
