import { expect, test } from "vitest";
import { fileOrder } from "./file-order.ts";

const many = (folder: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${folder}/${count - index}.test.ts`);

test("files that take long are taken first, and those that build are spread among them", () => {
  const [rust, go] = ["test/wire/rust.test.ts", "test/wire/go.test.ts"];
  const unit = many("packages/core/src", 2);
  const long = many("test/reliability", 9);
  const middle = many("test/cli", 3);
  const given = [...unit, rust, ...middle, go, ...long];
  expect(fileOrder(given)).toEqual([
    rust,
    ...long.slice(0, 7),
    go,
    ...long.slice(7),
    ...middle,
    ...unit,
  ]);
});

test("within a folder the order stays as it was, and no file is lost", () => {
  const files = many("test/cli", 9);
  expect(fileOrder(files)).toEqual(files);
  const wire = many("test/wire", 2);
  expect(fileOrder(wire)).toEqual(wire);
  expect(fileOrder([])).toEqual([]);
});
