package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/vmihailenco/msgpack/v5"
)

// Job is what a producer writes. Times are milliseconds since 1970.
type Job struct {
	Name      string `json:"name" msgpack:"name"`
	Payload   any    `json:"payload" msgpack:"payload"`
	ID        string `json:"id,omitempty" msgpack:"id,omitempty"`
	NotBefore int64  `json:"notBefore,omitempty" msgpack:"notBefore,omitempty"`
	ExpiresAt int64  `json:"expiresAt,omitempty" msgpack:"expiresAt,omitempty"`
	UniqueKey string `json:"uniqueKey,omitempty" msgpack:"uniqueKey,omitempty"`
}

// Record is what the history keeps of one delivery; docs/wire-protocol.md lists all fields.
type Record struct {
	State    string `msgpack:"state"`
	Attempts int    `msgpack:"attempts"`
	Output   any    `msgpack:"output"`
}

// Enqueue publishes one job. Publishing again with the same id is safe: PubAck.Duplicate says so.
func Enqueue(ctx context.Context, js jetstream.JetStream, namespace, queue string, job Job, header nats.Header, format string) (*jetstream.PubAck, error) {
	encode := msgpack.Marshal
	if format == "json" {
		encode = json.Marshal
	}
	body, err := encode(job)
	if err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: fmt.Sprintf("%s.jobs.%s", namespace, queue), Data: body, Header: header}
	if job.ID != "" {
		return js.PublishMsg(ctx, msg, jetstream.WithMsgID(job.ID))
	}
	return js.PublishMsg(ctx, msg)
}

// Result waits until the job has ended, and returns the record of it.
func Result(ctx context.Context, js jetstream.JetStream, namespace, queue, id string) (*Record, error) {
	records, err := js.CreateConsumer(ctx, namespace+"-history", jetstream.ConsumerConfig{
		FilterSubject: fmt.Sprintf("%s.history.%s.%s.*", namespace, queue, id),
		DeliverPolicy: jetstream.DeliverLastPolicy, // the newest there is, then all that follow
		AckPolicy:     jetstream.AckNonePolicy,
	})
	if err != nil {
		return nil, err
	}
	for {
		msg, err := records.Next(jetstream.FetchContext(ctx))
		if err != nil {
			return nil, err
		}
		var record Record
		if err := msgpack.Unmarshal(msg.Data(), &record); err != nil {
			return nil, err
		}
		if record.State != "requeued" {
			return &record, nil
		}
	}
}
