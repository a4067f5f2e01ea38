import { expect, test } from "vitest";
import { adoptTableSql } from "./adopt-table.ts";

/** Of the function that the server makes, which keeps 63 bytes of it. */
function functionOf(table: string): string {
  const sql = adoptTableSql({
    ...{ table, queue: { value: "mail" }, name: { value: "send" }, payload: "body" },
  });
  const name = /FUNCTION "([^"]+)"/.exec(sql)?.[1] ?? "";
  return Buffer.from(name).subarray(0, 63).toString();
}

const long = "a".repeat(60);

test.each([
  ["a dot and an underscore", "app.events", "app_events"],
  ["names that differ where they are cut", `${long}1`, `${long}2`],
  ["small and large letters", "Events", "events"],
  ["letters of several bytes", `${"é".repeat(30)}1`, `${"é".repeat(30)}2`],
])("two tables never share a trigger's function: %s", (_, one, other) => {
  expect(functionOf(one)).not.toBe(functionOf(other));
  expect(functionOf(one)).toBe(functionOf(one));
});
