import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { askPerson } from "./ask-person.ts";

function asked(typed: string) {
  const input = new PassThrough();
  const codes: number[] = [];
  const answer = askPerson("Cancel 7 jobs? [y/N] ", {
    ...{ input, output: new PassThrough().resume(), exit: (code: number) => void codes.push(code) },
  });
  input.write(typed);
  return { answer, codes };
}

test("an answer is what was typed", async () => {
  const { answer, codes } = asked("y\r");
  expect(await answer).toBe("y");
  expect(codes).toEqual([]);
});

test("Ctrl-C ends the process as a signal does, without an error", async () => {
  const { answer, codes } = asked("\u0003");
  expect(await answer).toBe("");
  expect(codes).toEqual([130]);
});

test("Ctrl-D is an empty answer, which is a no", async () => {
  const { answer, codes } = asked("\u0004");
  expect(await answer).toBe("");
  expect(codes).toEqual([]);
});
