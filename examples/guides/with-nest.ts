// jobs.service.ts: list it under `providers` of a module
import { connect, type JobHandle, type Millrace } from "millrace";
import { makeInvoice } from "./invoice.ts";

/** Nest calls `onModuleInit` at the start, and `onApplicationShutdown` at the end. */
export class JobsService {
  #millrace: Millrace | undefined;

  async onModuleInit(): Promise<void> {
    this.#millrace = await connect();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#millrace?.close();
  }

  makeInvoice(order: string, cents: number): Promise<JobHandle<{ file: string }>> {
    if (this.#millrace === undefined) throw new Error("the application has not started");
    return this.#millrace.enqueue(makeInvoice, { order, cents }, { id: `invoice-${order}` });
  }
}
