/**
 * Every code a `MillraceError` can carry, with what it means. Codes are a public contract: one is
 * never renamed and never reused. `docs/errors.md` is checked against this table by a test.
 */
export const ERROR_CODES = {
  // What a producer or a user of the API sees.
  "invalid-option":
    "An option, environment variable or configuration field has a value that can't be used, or there is no such option.",
  "invalid-duration": 'A duration is neither milliseconds nor a string such as "30s".',
  "invalid-filter": "A filter can't be read; the message names the character.",
  "index-failed": "An index of jobs can't be kept or read; the message says why.",
  "invalid-job": "A job definition has a field that can't be used.",
  "invalid-schedule": "A schedule has a field that can't be used.",
  "invalid-name": "A job name, queue name, id or namespace has characters outside the allowed set.",
  "invalid-payload": "A payload does not satisfy the input schema of its job, or the schema threw.",
  "invalid-output": "A handler's result does not satisfy the output schema of its job.",
  "unserializable-payload":
    "A payload or a result holds a value that would be lost or altered on its way (a Map, a function, a bigint, a whole number beyond 2^53, a cycle, too deep a nesting).",
  "payload-too-large":
    "A message is larger than the server lets through, or holds more values than a body may.",
  "past-not-before": "A start time lies in the past.",
  "invalid-progress":
    "A handler reported a progress that is no number from 0 up, or a note that is no text.",
  "already-expired": "A job would expire before it could start.",
  "not-delayed": "A job that was to be given another time does not wait for one.",
  "queue-not-found": "No stream takes the queue's subject: the queue does not exist.",
  "stream-not-found": "No stream takes the subject of a message that was to be stored.",
  "queue-full": "The queue has reached its limit and takes no more jobs. Nothing was dropped.",
  "operation-not-found": "No operation of this id is kept, or its plan is gone.",
  "more-than-confirmed":
    "More things fit than were confirmed, so an operation was not begun. The message says how many.",
  "undo-impossible":
    "One thing of an operation that is undone can't be taken back; the message says why.",
  "schedule-not-found": "No schedule of this name is stored.",
  "schedule-exists": "A schedule of this name is stored already, and says something else.",
  "unique-conflict": "The job's unique key is held by another job.",
  "id-taken":
    "A job of a batch has the id of another, which waits or runs and is none of the batch.",
  "already-retried":
    "A dead letter was to be edited whose job has a new life already, with the old payload.",
  "queue-closed": "The queue was closed by an operator and takes no new jobs. Nothing was stored.",
  "node-not-found": "No node of this name has been heard of in the last ten minutes.",
  "job-not-found": "No job or dead letter with this id is known.",
  "ambiguous-id": "The id stands for several jobs or dead letters: name the queue too.",
  // Reaching and using the server.
  "server-unreachable": "No NATS server answers at the given address.",
  "server-too-old": "The server is older than 2.10, or than what was asked of it needs.",
  "server-unavailable": "No nats-server program could be found or obtained.",
  "server-failed": "A nats-server that was started ended or never became ready.",
  "store-in-use": "A nats-server runs already that keeps its data in the same directory.",
  "auth-failed": "The server refused the credentials.",
  "credentials-unreadable": "A file with credentials can't be read or holds none.",
  "tls-failed": "No TLS connection came about: a certificate, key or protocol does not fit.",
  "permission-denied": "The credentials do not allow this subject.",
  "jetstream-disabled": "The server or the account has no JetStream.",
  "jetstream-failed": "JetStream refused a request; the message carries its code and text.",
  "broker-unavailable":
    "The server can't serve the request at the moment: no room, no leader, no heartbeat.",
  "broker-rejected": "The server refused a message or a pull; the message says why.",
  "consumer-not-found": "The consumer of a queue was deleted, or has no leader at the moment.",
  conflict: "A message was to be stored only if its subject had not changed, and it had.",
  "invalid-header": "A header's name or value can't be sent.",
  "invalid-message": "A message can't be sent as it is.",
  "publish-timeout":
    "No confirmation came before the deadline: the message may or may not be stored. Publishing again with the same id is safe while the id is known: with an id of yours while its job is on record, else for two minutes.",
  "request-timeout": "The server did not answer a request before the deadline.",
  "result-timeout": "A job did not end before the deadline given to `result()`. The job goes on.",
  "reader-too-slow": "A reader of a live feed has fallen too far behind.",
  "events-missed":
    "Events behind the position from which they were to be read are no longer in the history.",
  "connection-closed": "The connection was closed while the call was under way.",
  // What the runtime reports.
  "duplicate-job": "Two handlers were registered under one name.",
  "no-handler": "A definition without a handler was given to a node.",
  "job-file-failed": "A job file could not be imported.",
  "incomplete-bundle":
    "A file that runs in a thread is not beside the program: a bundler has left it out.",
  "nodejs-too-old": "Node.js is older than Millrace needs.",
  "no-jobs": "A job file or the list of jobs given to a node holds no job.",
  "already-ended": "Another run of the job has recorded its end, which counts.",
  "lease-unusable": "A delivery's lease can't be kept.",
  "lock-busy": "The lock is held by another and did not become free in the time given.",
  "lock-lost": "The lock is no longer held: its token was superseded or its lease ran out.",
  "revision-conflict": "A document changed since it was read.",
  "illegal-transition": "An execution was given an event its state does not take.",
  "already-stopped": "The service was stopped and can't be started again.",
  "health-port-taken": "The port for health and metrics is in use.",
  "dashboard-port-taken": "The port for the dashboard can't be used.",
  "dashboard-unprotected":
    "The dashboard was to be reached from other machines, and nobody has to log in.",
  "dashboard-denied":
    "The dashboard refused a request: who asked may not do that, or not from there.",
  "record-refused":
    "An execution record can't be stored where it was to go, however often that is tried.",
  "record-store-failed": "The store of execution records can't be opened, written or read.",
  "invalid-step": "A step was asked for in a way that can't be: its name, its time, or where.",
  "batch-ended":
    "The batch was over when it was made again: its callback counts this job as refused.",
  "job-ended":
    "A signal was sent to a job that has ended, or a handler in a thread enqueued after its end.",
  "machine-unsupported":
    "A durable machine's chart has something that can't be kept from one event to the next.",
  "machine-mismatch":
    "A durable machine was stored by another version of its chart than this node has.",
  "machine-unreadable":
    "What is stored of a durable machine can't be read, and is not taken for one that nobody started.",
  "machine-not-found":
    "No durable machine of this name and id has been started, or no node has stored its chart.",
  "machine-ended": "A durable machine has come to an end, and not to what was waited for.",
  "machine-active": "A durable machine that was to be forgotten has not come to an end.",
  "outbox-failed":
    "The database of an outbox can't be reached, refused a statement, or rolled back at the COMMIT.",
  // Why an attempt failed, in records and dead letters.
  "handler-failed": "The handler threw or rejected.",
  "step-too-large":
    "A step's result, or all of a job's steps together, are more than a journal takes.",
  "too-many-steps": "A job has asked for more steps than a journal takes.",
  "journal-mismatch":
    "A job's handler doesn't ask for the steps that are on record: its code has changed, or it doesn't always ask for the same.",
  "timed-out": "The handler did not end within its timeout.",
  "thread-exited": "The worker thread that ran the handler ended before it gave an outcome.",
  fatal: "The handler declared that the job must not be tried again.",
  undecodable:
    "The body is neither msgpack nor JSON, or not a map, or holds too many values or a number that would be altered.",
  "invalid-envelope": "A field of the envelope is missing or has the wrong type.",
  "unsupported-version": "The envelope's version is newer than this runtime understands.",
  "unknown-name": "No node that serves this queue has a handler of this name.",
  crashed: "The job's holder was lost too many times in a row, and the last one is dead.",
  expired: "The job was not started before its expiry.",
  cancelled: "The job was cancelled.",
  shutdown:
    "The node is stopping and the grace has passed; the job is handed back without an attempt spent.",
  "lease-lost":
    "The lease could not be confirmed in time: another node may own the job, so nothing was settled.",
} as const;

/** The code of a `MillraceError`. `ERROR_CODES` says what each means and what to do. */
export type ErrorCode = keyof typeof ERROR_CODES;
