// app/invoices/route.ts
import { connect, type Millrace } from "millrace";
import { makeInvoice } from "./invoice.ts";

// One connection for the process. On `globalThis`, because the development server loads this file
// anew at each change.
const shared = globalThis as { millrace?: Promise<Millrace> };
const client = (): Promise<Millrace> => (shared.millrace ??= connect({ waitForServer: true }));

export const runtime = "nodejs"; // the edge runtime has no TCP

export async function POST(request: Request): Promise<Response> {
  const { order, cents } = (await request.json()) as { order: string; cents: number };
  const millrace = await client();
  const job = await millrace.enqueue(makeInvoice, { order, cents }, { id: `invoice-${order}` });
  return Response.json({ id: job.id }, { status: 202 });
}
