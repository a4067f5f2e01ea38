// A consumer of events in a process of its own. Its one argument is JSON; it prints a line for each
// event that it has handled.
import { connect } from "millrace";

const { servers, namespace, after, queue } = JSON.parse(process.argv[2] ?? "") as {
  readonly servers: string;
  readonly namespace: string;
  readonly after?: number;
  readonly queue: string;
};
const millrace = await connect({ servers, namespace, env: {} });
const query = after === undefined ? { queue } : { queue, after };
for await (const { position, id, state } of millrace.events(query))
  console.log(`event ${position} ${id} ${state}`);
