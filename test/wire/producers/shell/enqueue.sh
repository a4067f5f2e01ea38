#!/bin/sh
# usage: enqueue.sh QUEUE ID JOB-AS-JSON    (the server: NATS_URL)
# Prints the stream, the sequence and "Duplicate: true"; fails when no stream takes the queue.
# --no-templates: otherwise the command would fill in what stands between {{ and }}.
nats publish --jetstream --no-templates --header "Nats-Msg-Id:$2" "millrace.jobs.$1" "$3"

# How it ended is the last word of the newest history subject; the record itself is msgpack.
# nats stream get millrace-history --last-for "millrace.history.$1.$2.*"
