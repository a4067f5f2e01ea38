import { expect, test } from "vitest";
import { fileOrder } from "./file-order.ts";

test("files that take long are taken first, and those that build are spread among them", () => {
  const given = [
    "packages/core/src/a.test.ts",
    "test/wire/rust.test.ts",
    "examples/hello/hello.test.ts",
    "test/wire/go.test.ts",
    "test/cli/doctor.test.ts",
    "test/reliability/12-scheduler-killed.test.ts",
    "test/reliability/chaos/chaos.test.ts",
  ];
  expect(fileOrder(given)).toEqual([
    "test/wire/rust.test.ts",
    "test/reliability/12-scheduler-killed.test.ts",
    "test/reliability/chaos/chaos.test.ts",
    "test/wire/go.test.ts",
    "test/cli/doctor.test.ts",
    "examples/hello/hello.test.ts",
    "packages/core/src/a.test.ts",
  ]);
});

test("within a folder the order stays as it was, and no file is lost", () => {
  const files = Array.from({ length: 9 }, (_, index) => `test/cli/${9 - index}.test.ts`);
  expect(fileOrder(files)).toEqual(files);
  expect(fileOrder(["test/wire/b.test.ts", "test/wire/a.test.ts"])).toEqual([
    "test/wire/b.test.ts",
    "test/wire/a.test.ts",
  ]);
  expect(fileOrder([])).toEqual([]);
});
