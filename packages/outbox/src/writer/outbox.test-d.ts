import {
  type BatchEnded,
  defineJob,
  type ExecutionContext,
  planJob,
  snooze,
  type TransactionalDatabase,
} from "@millrace/core";
import { expectTypeOf } from "vitest";
import type { Outbox } from "./outbox.ts";
import type { SyncOutbox } from "./sync-outbox.ts";

declare const outbox: Outbox;
declare const syncOutbox: SyncOutbox;
const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });

// @ts-expect-error a number is no address
void outbox.enqueue(mail, { to: 7 });
// @ts-expect-error there is no such option
void outbox.enqueue(mail, { to: "ada" }, { later: "10s" });
// @ts-expect-error one of the inputs is wrong
void outbox.enqueueMany(mail, [{ input: { to: "ada" } }, { input: {} }]);
// @ts-expect-error a number is no address
syncOutbox.enqueue(mail, { to: 7 });

const count = defineJob<{ letters: string }>({ name: "count" });
// @ts-expect-error a number is no address
void outbox.chain(mail, { to: 7 });
expectTypeOf(outbox.chain(mail, { to: "ada" }).next(count).enqueue()).toEqualTypeOf<
  Promise<readonly { readonly id: string; readonly queue: string }[]>
>();
expectTypeOf(syncOutbox.chain(mail, { to: "ada" }).enqueue()).toEqualTypeOf<
  readonly { readonly id: string; readonly queue: string }[]
>();

const sum = defineJob<BatchEnded<{ day: string }>>({ name: "sum" });
void outbox.batch([planJob(mail, { to: "ada" })], {
  callback: { job: sum, input: { day: "monday" } },
});
// @ts-expect-error the callback's input is wrong
void outbox.batch([], { callback: { job: sum, input: { day: 1 } } });
// @ts-expect-error a callback takes how the batch ended
void outbox.batch([], { callback: { job: mail, input: { to: "ada" } } });
// @ts-expect-error there is no batch without a callback
syncOutbox.batch([]);

expectTypeOf(outbox.enqueue(mail, { to: "ada" })).toEqualTypeOf<
  Promise<{ readonly id: string; readonly queue: string }>
>();

declare const context: ExecutionContext;
declare const shop: TransactionalDatabase<{ readonly name: "tx" }, Outbox>;
expectTypeOf(
  context.transaction(shop, async (tx, own) => {
    expectTypeOf(tx.name).toEqualTypeOf<"tx">();
    await own.enqueue(mail, { to: "ada" });
    return { charged: true };
  }),
).toEqualTypeOf<Promise<{ charged: boolean }>>();
expectTypeOf(
  context.transaction(shop, async () => (Math.random() > 2 ? snooze("1s") : 7)),
).toEqualTypeOf<Promise<7>>();
// @ts-expect-error a pool is no such database
void context.transaction({ connect: () => {} }, async () => 1);
