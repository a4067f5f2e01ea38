#!/bin/sh
# usage: enqueue.sh QUEUE ID JOB-AS-JSON [NAME:VALUE…]  (the server: NATS_URL; QUEUE.high or QUEUE.low for a lane)
# NAME:VALUE are more headers, such as traceparent. Prints the stream, the sequence and "Duplicate: true"; fails when no stream takes the queue.
# --no-templates: otherwise the command would fill in what stands between {{ and }}.
queue=$1 id=$2 job=$3
shift 3
for header; do set -- "$@" --header "$header"; shift; done
nats publish --jetstream --no-templates --header "Nats-Msg-Id:$id" "$@" "millrace.jobs.$queue" "$job"

# How it ended is in the header Millrace-State of its end; the record itself is msgpack.
# nats stream get millrace-history --last-for "millrace.history.QUEUE.ID.ended"
