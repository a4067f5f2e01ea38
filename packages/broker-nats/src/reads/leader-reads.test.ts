import { expect, test } from "vitest";
import { judge } from "./leader-reads.ts";

test.each([
  '{"error":null}',
  '{"message":null}',
  '{"message":{"seq":1,"data":5,"time":""}}',
  "[]",
  "5",
  "no JSON",
])("an answer of %s is nobody's, and no error of the connection", (text) => {
  const reply = { data: Buffer.from(text), string: () => text };
  expect(judge(reply, { subject: "$JS.API.STREAM.MSG.GET.s" })).toMatchObject({
    code: "jetstream-failed",
    message: expect.stringContaining("Something else answers") as string,
  });
});
