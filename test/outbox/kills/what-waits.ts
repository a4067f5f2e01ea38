import { connect } from "@nats-io/transport-node";
import type { Millrace } from "millrace";

interface Listed {
  readonly streams?: readonly Named[];
  readonly consumers?: readonly Named[];
}

interface Named {
  readonly config: { readonly name: string };
  readonly state?: unknown;
}

/**
 * What lies in a queue that should be empty, and what its server says of the queue's stream and of
 * who reads it. For the message of a failure: nothing of it can be seen afterwards.
 */
export async function whatWaits(url: string, millrace: Millrace, queue: string): Promise<string> {
  const waiting = await millrace.broker.listWaiting(queue, { limit: 5 });
  const jobs = waiting.map(({ envelope: { payload: _, ...rest }, ...job }) => ({ ...job, ...rest }));
  const nc = await connect({ servers: url });
  try {
    const ask = async (api: string): Promise<Listed> =>
      (await nc.request(`$JS.API.${api}`, "{}", { timeout: 15_000 })).json<Listed>();
    const streams = ((await ask("STREAM.LIST")).streams ?? []).filter(({ config }) =>
      config.name.endsWith(queue),
    );
    const said = await Promise.all(
      streams.map(async ({ config: { name }, state }) => ({
        ...{ name, state },
        consumers: ((await ask(`CONSUMER.LIST.${name}`)).consumers ?? []).map(
          ({ config: _, ...consumer }) => consumer,
        ),
      })),
    );
    return JSON.stringify({ jobs, said });
  } finally {
    await nc.close();
  }
}
