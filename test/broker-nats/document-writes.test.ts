import { MillraceError } from "@millrace/core";
import { expect, test } from "vitest";
import { clusterMode, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { isPubAck } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { connected } from "./connected.ts";

describeEachServer("a document whose confirmation is lost", (server) => {
  test("is written once, and its writer learns the revision", async () => {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const documents = await (
      await connected({ servers: proxy.url, namespace })
    ).documents("written");
    const first = await documents.put("a", 1, 0);
    let lost = 0;
    const heal = proxy.dropFromServer((frame) => isPubAck(frame) && (lost += 1) === 1);
    const second = await documents.put("a", 2, first);
    // A dying leader may have kept its answer to itself.
    if (clusterMode() === undefined) expect(lost).toBeGreaterThan(0);
    expect(second).toBe(first + 1);
    lost = 0;
    await documents.remove("a", second);
    heal();
    expect(await documents.get("a")).toBeUndefined();
    // The removal took one revision.
    expect(await documents.put("a", 3, 0)).toBe(second + 2);
  });

  test("is a conflict where somebody else wrote meanwhile", async () => {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const documents = await (
      await connected({ servers: proxy.url, namespace })
    ).documents("written");
    const other = await (await connected({ servers: server.url, namespace })).documents("written");
    const first = await documents.put("a", 1, 0);
    let refused: Promise<number> | undefined;
    const heal = proxy.dropToServer(() => {
      refused ??= other.put("a", "theirs", first);
      return true;
    });
    const mine = documents.put("a", "mine", first).catch((error: unknown) => error);
    await expect.poll(() => refused, { timeout: patient(20_000) }).toBeDefined();
    await refused;
    heal();
    expect(MillraceError.is(await mine, "revision-conflict")).toBe(true);
    expect(await other.get("a")).toMatchObject({ value: "theirs" });
  });

  test("says by its cause that it may have been written, where its answer was lost and somebody else has written since", async () => {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const documents = await (
      await connected({ servers: proxy.url, namespace })
    ).documents("written");
    const other = await (await connected({ servers: server.url, namespace })).documents("written");
    const first = await documents.put("a", 1, 0);
    const heal = proxy.dropFromServer(isPubAck);
    const mine = documents.put("a", "mine", first).catch((error: unknown) => error);
    const seen = await eventually(
      async () => {
        const document = await other.get("a");
        return document?.value === "mine" ? document : undefined;
      },
      { withinMs: patient(5_000), describe: "the write is carried out" },
    );
    await other.put("a", "theirs", seen.revision);
    heal();
    expect(codesOf(await mine)).toEqual(["revision-conflict", "conflict", "publish-timeout"]);
    // Where no answer was lost, nothing of the kind is said.
    const plain = await documents.put("a", "late", first).catch((error: unknown) => error);
    expect(codesOf(plain)).not.toContain("publish-timeout");
  });
});

function codesOf(error: unknown): readonly string[] {
  return MillraceError.is(error) ? [error.code, ...codesOf(error.cause)] : [];
}
