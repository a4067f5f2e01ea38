// Writes to a ledger and kills itself, for the test that nothing of it is lost.
import { LedgerWriter } from "./ledger-file.ts";

const ledger = new LedgerWriter(process.argv[2] ?? "", "child");
for (const id of ["0", "1", "2"]) ledger.write({ event: "attempted", id });
process.kill(process.pid, "SIGKILL");
