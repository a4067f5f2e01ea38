import { ERROR_CODES } from "@millrace/core";
import { expect, test } from "vitest";
import { docs } from "./commands/docs.ts";
import { docPages, errorEntry, pagesFor } from "./doc-pages.ts";

const pages = docPages();

test("every error's code has an entry with a meaning and advice", () => {
  for (const [code, meaning] of Object.entries(ERROR_CODES)) {
    expect(errorEntry(pages, code)).toMatchObject({ code, meaning });
    expect(errorEntry(pages, code)?.advice, code).not.toBe("");
  }
  expect(errorEntry(pages, "no-such-code")).toBeUndefined();
});

test("a topic is one page; a word of titles, or of texts, is those that have it", () => {
  const topics = (word: string) => pagesFor(pages, word).map(({ topic }) => topic);
  expect(topics("retries")).toEqual(["retries"]);
  expect(topics("own process")).toEqual(["workers"]);
  expect(topics("BullMQ")).toContain("migrating");
  expect(topics("xyzzy")).toEqual([]);
});

test("no page that is shipped has a title of its own twice, and none is empty", () => {
  expect(pages.length).toBeGreaterThan(40);
  expect(new Set(pages.map(({ title }) => title)).size).toBe(pages.length);
  expect(pages.filter(({ text }) => text.length < 200)).toEqual([]);
});

test("the command says so where no page speaks of a word", async () => {
  const call = { args: ["xyzzy"], flags: {}, json: true } as unknown as Parameters<
    typeof docs.run
  >[0];
  expect(await docs.run(call)).toMatchObject({ json: [], exitCode: 1 });
});
