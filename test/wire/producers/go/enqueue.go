package main

import (
	"context"
	"encoding/json"
	"errors"
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
	subject := fmt.Sprintf("%s.history.%s.%s.*", namespace, queue, id)
	following, err := js.Conn().SubscribeSync(subject) // listen first, then look
	if err != nil {
		return nil, err
	}
	defer following.Unsubscribe()
	history, err := js.Stream(ctx, namespace+"-history")
	if err != nil {
		return nil, err
	}
	var data []byte
	switch last, err := history.GetLastMsgForSubject(ctx, subject); {
	case err == nil:
		data = last.Data
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, err
	}
	for {
		var record Record
		if data != nil {
			if err := msgpack.Unmarshal(data, &record); err != nil {
				return nil, err
			}
			if record.State != "requeued" {
				return &record, nil
			}
		}
		msg, err := following.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		data = msg.Data
	}
}
