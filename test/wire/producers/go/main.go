// Reads commands as JSON lines and answers each with one; see ../../driver.ts.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type command struct {
	Do        string            `json:"do"`
	Namespace string            `json:"namespace"`
	Queue     string            `json:"queue"`
	ID        string            `json:"id"`
	Job       Job               `json:"job"`
	Headers   map[string]string `json:"headers"`
	Format    string            `json:"format"`
}

func main() {
	nc, err := nats.Connect(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4*1024*1024)
	for lines.Scan() {
		reply, err := answer(js, lines.Bytes())
		if err != nil {
			reply = map[string]any{"error": err.Error()}
		}
		text, err := json.Marshal(reply)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
	}
}

func answer(js jetstream.JetStream, line []byte) (map[string]any, error) {
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if c.Do == "result" {
		record, err := Result(ctx, js, c.Namespace, c.Queue, c.ID)
		if err != nil {
			return nil, err
		}
		return map[string]any{"state": record.State, "output": record.Output, "attempts": record.Attempts}, nil
	}
	header := nats.Header{}
	for name, value := range c.Headers {
		header[name] = []string{value}
	}
	ack, err := Enqueue(ctx, js, c.Namespace, c.Queue, c.Job, header, c.Format)
	if err != nil {
		return nil, err
	}
	return map[string]any{"stream": ack.Stream, "sequence": ack.Sequence, "duplicate": ack.Duplicate}, nil
}
