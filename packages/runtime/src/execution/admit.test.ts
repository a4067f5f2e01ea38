import { defineJob, type Envelope, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { type AdmissionInput, admit } from "./admit.ts";

const NOW = 1_000_000;
const plain = defineJob({ name: "t.job", queue: "work" }).handler(() => {});
const hasty = defineJob({ name: "t.job", queue: "work", queuedTimeout: "10s" }).handler(() => {});

type Case = Omit<Partial<AdmissionInput>, "envelope" | "message"> & {
  readonly envelope?: Partial<Envelope>;
  readonly storedAt?: number;
  readonly origin?: "producer" | "runtime";
};

function ask({ envelope = {}, origin = "producer", storedAt = NOW, ...rest }: Case): string {
  const answer = admit({
    envelope: {
      ...UNSETTLED,
      id: "a",
      name: "t.job",
      queue: "work",
      payload: null,
      createdAt: NOW - 1_000,
      headers: {},
      ...envelope,
    },
    message: {
      queue: "work",
      origin,
      body: new Uint8Array(),
      headers: {},
      sequence: 1,
      storedAt,
    },
    deliveryCount: 1,
    job: plain,
    now: NOW,
    isPoison: false,
    ...rest,
  });
  return "job" in answer ? "runs" : answer.refusal.kind;
}

const all = { expiresAt: NOW - 1, notBefore: NOW + 1, crashes: 9 };

test.each<[string, Case, string]>([
  ["nothing against it", {}, "runs"],
  ["no handler comes before everything", { job: undefined, envelope: all }, "rejected"],
  ["poison comes before expiry", { envelope: all, isPoison: true }, "crashed"],
  ["expiry comes before its time", { envelope: { ...all, crashes: 0 } }, "expired"],
  ["its time lies ahead", { envelope: { notBefore: NOW + 1 } }, "deferred"],
  ["its time is now", { envelope: { notBefore: NOW } }, "runs"],
  [
    "the runtime's own start time is not looked at again",
    { origin: "runtime", envelope: { notBefore: NOW + 1 } },
    "runs",
  ],
  ["any number of crashes that were not its own", { deliveryCount: 9 }, "runs"],
  ["it expires at this very moment", { envelope: { expiresAt: NOW } }, "expired"],
  ["it expires in a moment", { envelope: { expiresAt: NOW + 1 } }, "runs"],
  ["it waited as long as it may", { job: hasty, storedAt: NOW - 10_000 }, "expired"],
  ["it waited almost as long", { job: hasty, storedAt: NOW - 9_999 }, "runs"],
  ["its producer's clock is behind", { job: hasty, envelope: { createdAt: 0 } }, "runs"],
  [
    "its first message was stored long ago",
    { job: hasty, envelope: { firstStoredAt: NOW - 10_000 }, origin: "runtime" },
    "expired",
  ],
  [
    "it was blocked after its start time, which was a while after it was stored",
    {
      ...{ job: hasty, origin: "runtime" },
      envelope: { firstStoredAt: NOW - 60_000, runnableAt: NOW - 9_999 },
    },
    "runs",
  ],
  [
    "its dead letter was retried a while ago, and it was blocked meanwhile",
    {
      ...{ job: hasty, origin: "runtime" },
      envelope: { firstStoredAt: NOW - 60_000, runnableAt: NOW - 10_000, life: 1 },
    },
    "expired",
  ],
  [
    "its dead letter was retried just now",
    { job: hasty, envelope: { firstStoredAt: NOW - 10_000, life: 1 }, origin: "runtime" },
    "runs",
  ],
  [
    "waiting counts from its start time",
    { job: hasty, storedAt: 0, envelope: { notBefore: NOW - 9_999 } },
    "runs",
  ],
  [
    "the producer's expiry counts too where it is sooner",
    { job: hasty, envelope: { expiresAt: NOW - 1 } },
    "expired",
  ],
  ...(["attempts", "interruptions", "snoozes", "crashes"] as const).map(
    (field): [string, Case, string] => [
      `a job that ran did not wait in vain (${field})`,
      { job: hasty, storedAt: 0, envelope: { [field]: 1 } },
      "runs",
    ],
  ),
  [
    "a job whose holder crashed did not wait in vain",
    { job: hasty, storedAt: 0, deliveryCount: 2 },
    "runs",
  ],
  [
    "a job that ran still has its producer's expiry",
    { envelope: { attempts: 1, expiresAt: NOW - 1 } },
    "expired",
  ],
])("%s", (_what, input, expected) => {
  expect(ask(input)).toBe(expected);
});
