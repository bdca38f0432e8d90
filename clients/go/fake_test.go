package batchgate_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

// served is a client of a BatchService that is made for one test, with a context for it.
func served(
	t *testing.T, service batchgatev1.BatchServiceServer, options ...batchgate.Option,
) (*batchgate.Client, context.Context) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	t.Cleanup(server.Stop)
	batchgatev1.RegisterBatchServiceServer(server, service)
	go server.Serve(listener)
	client, err := batchgate.New(listener.Addr().String(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return client, ctx
}

// refusal is a status with a reason of the contract; with a RetryInfo where after is not negative.
func refusal(code codes.Code, reason string, after time.Duration) error {
	told := status.New(code, "not now")
	told, _ = told.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "batchgate"})
	if after >= 0 {
		told, _ = told.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	return told.Err()
}
