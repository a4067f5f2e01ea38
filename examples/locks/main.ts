import { connect } from "millrace";
import { Totals } from "./totals.ts";

const MONTH = "2030-01";
const invoices = [120, 230, 250];

using totals = new Totals(process.argv[2] ?? "totals.sqlite");
await using millrace = await connect();

// One process of the whole fleet is in here at a time; the others wait.
await millrace.lock(`totals/${MONTH}`, { lease: "10s", wait: "1m" }, ({ token, signal }) => {
  totals.claim(MONTH, token);
  let cents = 0;
  for (const invoice of invoices) {
    signal.throwIfAborted();
    cents += invoice;
  }
  totals.write(MONTH, cents, token);
});
console.log(totals.read(MONTH));
