import {
  type Broker,
  type Document,
  type DocumentStore,
  silentLogger,
  systemClock,
} from "@millrace/core";
import { expect, test } from "vitest";
import { SimulatedClock } from "@millrace/testkit";
import { ScheduleBook } from "./schedule-book.ts";

const value = {
  ...{ cron: "* * * * *", timezone: "UTC", job: "report", queue: "reports" },
  ...{ since: 0, origin: "client" },
};
const document = (key: string, revision: number): Document => ({
  key,
  value,
  revision,
  updatedAt: 0,
});

/** Lists are answered by hand; changes and connections are told by hand. */
function scene() {
  const lists: ((documents: readonly Document[] | Promise<never>) => void)[] = [];
  let tell: Parameters<DocumentStore["watch"]>[0] = () => {};
  let status: (status: "connected") => void = () => {};
  const store = {
    list: () => new Promise<readonly Document[]>((resolve) => void lists.push(resolve)),
    watch: async (listener: typeof tell) => {
      tell = listener;
      return { stop: async () => {} };
    },
  };
  const broker = {
    documents: async () => store,
    onStatus: (listener: typeof status) => {
      status = listener;
      return () => {};
    },
  } as unknown as Broker;
  return {
    broker,
    lists,
    tell: (key: string, to?: Document) => tell({ key, document: to }),
    reconnect: () => status("connected"),
  };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

test("a schedule that is put while two lists are under way stays in the book", async () => {
  const { broker, lists, tell, reconnect } = scene();
  const opening = ScheduleBook.open(broker, systemClock, silentLogger);
  await turns();
  lists[0]?.([]);
  const book = await opening;
  reconnect();
  await turns();
  // Lost once more.
  reconnect();
  await turns();
  tell("s", document("s", 5));
  expect(book.names).toEqual(["s"]);
  // Read before.
  lists[1]?.([]);
  await turns();
  lists[2]?.([document("s", 5)]);
  await turns();
  expect(book.names).toEqual(["s"]);
});

test("a schedule that is removed while two lists are under way is not led on", async () => {
  const { broker, lists, tell, reconnect } = scene();
  const opening = ScheduleBook.open(broker, systemClock, silentLogger);
  await turns();
  lists[0]?.([document("s", 5)]);
  const book = await opening;
  reconnect();
  await turns();
  reconnect();
  await turns();
  tell("s");
  expect(book.names).toEqual([]);
  lists[1]?.([document("s", 5)]);
  await turns();
  lists[2]?.([]);
  await turns();
  expect(book.names).toEqual([]);
});

test("a list that fails is tried again", async () => {
  const clock = new SimulatedClock();
  const { broker, lists, reconnect } = scene();
  const opening = ScheduleBook.open(broker, clock, silentLogger);
  await turns();
  lists[0]?.([]);
  const book = await opening;
  reconnect();
  await turns();
  lists[1]?.(Promise.reject(new Error("no answer")));
  await turns();
  await clock.advance(5_000);
  await turns();
  lists[2]?.([document("s", 5)]);
  await turns();
  expect(book.names).toEqual(["s"]);
  await book.close();
});

const later = (key: string, revision: number, updatedAt: number): Document => ({
  ...document(key, revision),
  value: { ...value, cron: "0 0 1 1 *" },
  updatedAt,
});

/** A book of what its first list shows. */
async function opened() {
  const { broker, lists, ...told } = scene();
  const opening = ScheduleBook.open(broker, systemClock, silentLogger);
  await turns();
  lists[0]?.([document("s", 5)]);
  return { ...told, lists, book: await opening };
}

test("a change in a store that was lost, and counts anew, is in the book", async () => {
  const { book, tell } = await opened();
  tell("s", later("s", 1, 10));
  expect(book.get("s")?.cron).toBe("0 0 1 1 *");
  // Behind the list.
  tell("s", document("s", 1));
  expect(book.get("s")?.cron).toBe("0 0 1 1 *");
});

test("so is what a list shows of a store that was restored", async () => {
  const { book, lists, reconnect } = await opened();
  reconnect();
  await turns();
  lists[1]?.([later("s", 2, 0)]);
  await turns();
  expect(book.get("s")?.cron).toBe("0 0 1 1 *");
});
