// The conformance program of the Go client: see clients/conformance. Its argument is the run's file.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	batchgate "github.com/batchgate/batchgate/clients/go"
)

type run struct {
	Address   string            `json:"address"`
	Variables map[string]string `json:"variables"`
	Steps     []json.RawMessage `json:"steps"`
}

type step struct {
	Name    string            `json:"step"`
	Op      string            `json:"op"`
	Args    json.RawMessage   `json:"args"`
	Caller  *string           `json:"caller"`
	Headers map[string]string `json:"headers"`
	Timeout float64           `json:"timeout_seconds"`
	Keep    map[string]string `json:"keep"`
}

type line struct {
	Step      string `json:"step"`
	Code      string `json:"code"`
	Answer    any    `json:"answer,omitempty"`
	Error     any    `json:"error,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

var named = regexp.MustCompile(`\$\{(\w+)\}`)

func main() {
	if err := carryOut(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func carryOut(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var todo run
	if err := json.Unmarshal(text, &todo); err != nil {
		return err
	}
	client, err := clientFor(todo.Address)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, raw := range todo.Steps {
		var given step
		if err := json.Unmarshal(filled(raw, todo.Variables), &given); err != nil {
			return err
		}
		told, err := carryOutStep(client, given, todo.Variables)
		if err != nil {
			return fmt.Errorf("%s: %w", given.Name, err)
		}
		text, err := json.Marshal(told)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
		keep(given, told, todo.Variables)
	}
	return nil
}

// clientFor is a client for the address, or without one as the environment says.
func clientFor(address string) (*batchgate.Client, error) {
	if address == "" {
		return batchgate.FromEnvironment()
	}
	return batchgate.New(address)
}

// filled replaces each ${name}; within JSON a variable's text stays one, as none needs an escape.
func filled(text json.RawMessage, variables map[string]string) []byte {
	return named.ReplaceAllFunc(text, func(found []byte) []byte {
		return []byte(variables[string(found[2:len(found)-1])])
	})
}

func carryOutStep(client *batchgate.Client, given step, variables map[string]string) (*line, error) {
	caller := "token"
	if given.Caller != nil {
		caller = *given.Caller
	}
	options := []batchgate.CallOption{}
	if token := variables[caller]; token != "" {
		options = append(options, batchgate.WithToken(token))
	}
	for key, value := range given.Headers {
		options = append(options, batchgate.WithMetadata(key, value))
	}
	if given.Timeout == 0 {
		given.Timeout = 30
	}
	timeout := time.Duration(given.Timeout * float64(time.Second))
	done := operation{client: client.Using(options...), args: given.Args, timeout: timeout}
	answer, requestID, err := done.carryOut(given.Op)
	told := &line{Step: given.Name, Code: "OK"}
	if err != nil {
		if told.Code, told.Error, requestID, err = failure(err); err != nil {
			return nil, err
		}
	} else if told.Answer, err = plain(answer); err != nil {
		return nil, err
	}
	if _, asked := given.Headers["x-request-id"]; asked {
		told.RequestID = requestID
	}
	return told, nil
}

// plain is an answer as JSON values: protobuf's JSON for messages.
func plain(answer any) (any, error) {
	var text []byte
	var err error
	if message, ok := answer.(proto.Message); ok {
		text, err = protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	} else {
		text, err = json.Marshal(answer)
	}
	if err != nil {
		return nil, err
	}
	var value any
	return value, json.Unmarshal(text, &value)
}

func keep(given step, told *line, variables map[string]string) {
	for name, path := range given.Keep {
		value := told.Answer
		for _, part := range strings.Split(path, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
		variables[name], _ = value.(string)
	}
}
