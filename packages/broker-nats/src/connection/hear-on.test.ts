import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { expect, test, vi } from "vitest";
import { hearOn, onFault, tellFault } from "./hear-on.ts";

const fault = new Error("no such letter");

test("what a callback throws never reaches the client's loop, and is told to the owner", () => {
  let callback = (_error: Error | null, _msg: Msg): void => {};
  const nc = {
    subscribe: (_subject: string, given: { readonly callback: typeof callback }) => {
      callback = given.callback;
      return {};
    },
  } as unknown as NatsConnection;
  const faults: unknown[] = [];
  onFault(nc, (error) => faults.push(error));
  const heard: (Error | null)[] = [];
  hearOn(nc, "s", (error) => {
    heard.push(error);
    if (heard.length === 1) throw fault;
  });
  callback(null, {} as Msg);
  callback(null, {} as Msg);
  expect(heard).toHaveLength(2);
  expect(faults).toEqual([fault]);
});

test("without an owner it is a warning of the process", () => {
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  tellFault({} as NatsConnection, fault);
  expect(warned).toHaveBeenCalledExactlyOnceWith(fault);
  warned.mockRestore();
});
