import type { Envelope } from "../envelope/envelope.ts";
import type { Instrumentation, Publication, Published } from "./instrumentation.ts";
import type { Broker, ServerEndpoint } from "../broker/broker.ts";
import { withOwn } from "../broker/with-own.ts";

const DONE = { ok: true } as const;

/**
 * A broker whose publishes are surrounded; everything else goes straight to the one behind it. Only
 * made where there is an instrumentation, so that others stand on the bare broker.
 *
 * What settlement publishes is not: the attempt's own trace sees to that.
 *
 * @param onTrouble told what the instrumentation threw on its own account; the jobs are published
 *   all the same
 * @param client the name of the node or client that publishes, where it was given one
 */
export function instrumentedBroker(
  broker: Broker,
  instrumentation: Instrumentation,
  onTrouble: (error: unknown) => void,
  client?: string,
): Broker {
  const named = client === undefined ? {} : { client };
  const endpoint = (): ServerEndpoint | undefined => broker.endpoint;
  const enqueue: Broker["enqueue"] = (envelopes, options) =>
    envelopes.length === 0
      ? broker.enqueue(envelopes, options)
      : surrounded(
          instrumentation,
          { kind: "enqueue", envelopes, endpoint, ...named },
          onTrouble,
          (sent) => broker.enqueue(sent, options),
        );
  const requeue: Broker["requeue"] = async (envelope, options) => {
    // A job without a generation is a new one: the callback of a batch.
    const kind = envelope.generation === 0 ? "enqueue" : "replay";
    const publication = { kind, envelopes: [envelope], endpoint, ...named } as const;
    let published: Awaited<ReturnType<Broker["requeue"]>>;
    await surrounded(instrumentation, publication, onTrouble, async (sent) => {
      for (const one of sent) published = await broker.requeue(one, options);
      return sent.map(() => DONE);
    });
    return published;
  };
  return withOwn(broker, { enqueue, requeue });
}

/** The jobs' own fate counts, whatever becomes of what surrounds them. */
async function surrounded<Result extends Published>(
  instrumentation: Instrumentation,
  publication: Publication,
  onTrouble: (error: unknown) => void,
  send: (envelopes: readonly Envelope[]) => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  let sent: Promise<readonly Result[]> | undefined;
  try {
    await instrumentation.publish(
      publication,
      (envelopes): Promise<readonly Result[]> => (sent ??= send(envelopes)),
    );
  } catch (error) {
    const own = sent === undefined ? undefined : await failureOf(sent);
    if (own !== error) onTrouble(error);
  }
  return sent ?? send(publication.envelopes);
}

async function failureOf(sent: Promise<unknown>): Promise<unknown> {
  try {
    await sent;
    return undefined;
  } catch (error) {
    return error;
  }
}
