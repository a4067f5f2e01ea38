// Carries out an operation, and sends itself a signal at the worst moment: something has been done
// and nothing of it has been written down. A job's new life is published and its letter is not
// removed; a job has another time; a letter is put back and its job is not taken out of its queue.
// Its arguments are the server, the namespace, the operation, the signal, after how many calls, and
// of what.
import { connect, MillraceError } from "millrace";

const [servers = "", namespace = "", id = "", signal = "", after = "", call = ""] =
  process.argv.slice(2);
const client = await connect({ servers, namespace, env: {} });
const { broker } = client;
let published = 0;
const struck =
  <Given extends readonly unknown[], Result>(act: (...given: Given) => Promise<Result>) =>
  async (...given: Given): Promise<Result> => {
    const result = await act(...given);
    strike();
    return result;
  };
const { delayed, deadLetters, arrivals } = broker;
if (call === "requeue") broker.requeue = struck(broker.requeue.bind(broker));
if (call === "move") delayed.move = struck(delayed.move.bind(delayed));
if (call === "add") deadLetters.add = struck(deadLetters.add.bind(deadLetters));
if (call === "takeOut") arrivals.takeOut = struck(arrivals.takeOut.bind(arrivals));
function strike(): void {
  published += 1;
  if (published === Number(after)) process.kill(process.pid, signal);
}
try {
  await client.operations.run(id);
  console.log("ended");
} catch (error) {
  console.log(`failed ${MillraceError.is(error) ? error.code : String(error)}`);
}
console.log(`published ${published}`);
await client.close();
