import { connect } from "millrace";
import { hello } from "./hello.ts";

const millrace = await connect({
  servers: process.env["MILLRACE_SERVER"] ?? "nats://127.0.0.1:4222",
});
const job = await millrace.enqueue(hello, { name: "world" });
console.log(await job.result({ timeout: "30s" }));
await millrace.close();
