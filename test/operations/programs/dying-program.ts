// Carries out an operation, and sends itself a signal at the worst moment: a job's new life is
// published and its letter is not removed, or a job has another time, and nothing of it has been
// written down. Its arguments are the server, the namespace, the operation, the signal, and after
// how many jobs.
import { connect, MillraceError } from "millrace";

const [servers = "", namespace = "", id = "", signal = "", after = ""] = process.argv.slice(2);
const client = await connect({ servers, namespace, env: {} });
const { broker } = client;
const requeue = broker.requeue.bind(broker);
let published = 0;
const move = broker.delayed.move.bind(broker.delayed);
broker.requeue = async (envelope, options) => {
  await requeue(envelope, options);
  strike();
};
broker.delayed.move = async (...given) => {
  const isMoved = await move(...given);
  strike();
  return isMoved;
};
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
