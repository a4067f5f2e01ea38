import { expect, test } from "vitest";
import { type News, NOTHING_READ } from "../index-calls.ts";
import { IndexStore } from "./index-store.ts";

function arrival(position: number, payload: unknown): News {
  const place = { id: `j${position}`, queue: "mail", createdAt: 1, life: 0 };
  const job = { ...place, name: "send", state: "queued", attempts: 0, at: position, payload };
  return { kind: "arrival", position, ...place, job: { ...job, state: "queued" } };
}

test("fields of payloads are known of all jobs, each once, without their payloads being read", () => {
  const store = IndexStore.open("", "");
  const first = [arrival(1, { rare: { deep: [1, 2] }, n: "a" }), arrival(2, "no fields")];
  const rest = Array.from({ length: 5_100 }, (_, n) => arrival(n + 3, { n, m: true }));
  store.write([...first, ...rest], NOTHING_READ);
  expect(store.known()["payload"]).toEqual(["m", "n", "rare.deep"]);
  store.close();
});

test("there is nothing to know of an index without payloads", () => {
  const store = IndexStore.open("", "");
  store.write([arrival(1, undefined)], NOTHING_READ);
  expect(store.known()).toMatchObject({ payload: [], name: ["send"] });
  store.close();
});
