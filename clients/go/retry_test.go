package batchgate_test

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

const never = -1

// limited refuses the first calls, so many of them, and answers the rest.
type limited struct {
	batchgatev1.UnimplementedBatchServiceServer
	refusals int32
	refused  error
	calls    atomic.Int32
}

func (l *limited) begin() error {
	if l.calls.Add(1) <= l.refusals {
		return l.refused
	}
	return nil
}

func (l *limited) GetBatch(
	_ context.Context, request *batchgatev1.GetBatchRequest,
) (*batchgatev1.GetBatchResponse, error) {
	return &batchgatev1.GetBatchResponse{Batch: &batchgatev1.Batch{Id: request.BatchId}}, l.begin()
}

func (l *limited) CreateBatch(
	context.Context, *batchgatev1.CreateBatchRequest,
) (*batchgatev1.CreateBatchResponse, error) {
	return &batchgatev1.CreateBatchResponse{Batch: &batchgatev1.Batch{Id: "batch_a"}}, l.begin()
}

func (l *limited) WatchBatch(
	request *batchgatev1.WatchBatchRequest, stream batchgatev1.BatchService_WatchBatchServer,
) error {
	if err := l.begin(); err != nil {
		return err
	}
	return stream.Send(&batchgatev1.WatchBatchResponse{Batch: &batchgatev1.Batch{Id: request.BatchId}})
}

func TestWhatTheGatewaySaysPassesIsRetriedAndNothingElse(t *testing.T) {
	get := func(client *batchgate.Client, ctx context.Context) error {
		_, err := client.GetBatch(ctx, "batch_a")
		return err
	}
	create := func(id string) func(*batchgate.Client, context.Context) error {
		return func(client *batchgate.Client, ctx context.Context) error {
			_, err := client.CreateBatch(ctx, &batchgatev1.CreateBatchRequest{RequestId: id})
			return err
		}
	}
	watch := func(client *batchgate.Client, ctx context.Context) error { return lastOf(client, ctx, "batch_a") }
	limit := refusal(codes.ResourceExhausted, "CALLER_LIMIT", 0)
	used := refusal(codes.ResourceExhausted, "PROVIDER_QUOTA_EXCEEDED", never)
	draining := refusal(codes.Unavailable, "SERVER_DRAINING", never)
	unknown := refusal(codes.Unknown, "OUTCOME_UNKNOWN", 0)
	for name, one := range map[string]struct {
		call    func(*batchgate.Client, context.Context) error
		refused error
		options []batchgate.Option
		calls   int32
		code    codes.Code
	}{
		"a watch over a limit":           {watch, limit, nil, 4, codes.OK},
		"a read over a limit":            {get, limit, nil, 4, codes.OK},
		"a read of a gateway that stops": {get, draining, nil, 4, codes.OK},
		"a creation with a request id":   {create("mine"), limit, nil, 4, codes.OK},
		"a creation without":             {create(""), limit, nil, 1, codes.ResourceExhausted},
		"a creation that may have been":  {create("mine"), unknown, nil, 1, codes.Unknown},
		"a watch with a used-up quota":   {watch, used, nil, 1, codes.ResourceExhausted},
		"a read with a used-up quota":    {get, used, nil, 1, codes.ResourceExhausted},
		"a watch that is never retried":  {watch, limit, []batchgate.Option{batchgate.WithMaxRetries(0)}, 1, codes.ResourceExhausted},
		"a watch that is retried twice":  {watch, limit, []batchgate.Option{batchgate.WithMaxRetries(2)}, 3, codes.ResourceExhausted},
		"a read that is never retried":   {get, draining, []batchgate.Option{batchgate.WithMaxRetries(0)}, 1, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := &limited{refusals: 3, refused: one.refused}
			client, ctx := served(t, gateway, one.options...)
			if err := one.call(client, ctx); status.Code(err) != one.code {
				t.Error(err)
			}
			if calls := gateway.calls.Load(); calls != one.calls {
				t.Error(calls, "calls")
			}
		})
	}
}

func TestWhatTheDeadlineLeavesNoTimeForIsToldAtOnce(t *testing.T) {
	gateway := &limited{refusals: 1, refused: refusal(codes.ResourceExhausted, "CALLER_LIMIT", time.Hour)}
	client, ctx := served(t, gateway)
	if _, err := client.GetBatch(ctx, "batch_a"); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	gateway.calls.Store(0)
	if err := lastOf(client, ctx, "batch_a"); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
}

func TestTheEndOfAContextIsFoundInTheError(t *testing.T) {
	client, ctx := served(t, &stuck{})
	watch := func(ctx context.Context) error { return lastOf(client, ctx, "batch_a") }
	get := func(ctx context.Context) error { _, err := client.GetBatch(ctx, "batch_a"); return err }
	upload := func(ctx context.Context) error {
		_, err := client.SubmitBatch(ctx, nil, batchgate.Rows())
		return err
	}
	for number, call := range []func(context.Context) error{watch, get, upload} {
		cancelled, cancel := context.WithCancel(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := call(cancelled); !errors.Is(err, context.Canceled) || status.Code(err) != codes.Canceled {
			t.Error(number, err)
		}
		late, stop := context.WithTimeout(ctx, 50*time.Millisecond)
		if err := call(late); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(number, err)
		}
		stop()
	}
	// What the gateway has cancelled the caller has not.
	gateway := &limited{refusals: 9, refused: refusal(codes.Canceled, "", never)}
	stopping, ctx := served(t, gateway, batchgate.WithMaxRetries(0))
	if _, err := stopping.GetBatch(ctx, "batch_a"); err == nil || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// stuck answers nothing.
type stuck struct {
	batchgatev1.UnimplementedBatchServiceServer
}

func (stuck) GetBatch(ctx context.Context, _ *batchgatev1.GetBatchRequest) (*batchgatev1.GetBatchResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuck) WatchBatch(_ *batchgatev1.WatchBatchRequest, stream batchgatev1.BatchService_WatchBatchServer) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (stuck) SubmitBatch(stream batchgatev1.BatchService_SubmitBatchServer) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

func TestClosingAClientThatUsesAnothersConnectionLeavesItOpen(t *testing.T) {
	client, ctx := served(t, &limited{})
	if err := client.Using(batchgate.WithProvider("azure")).Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.GetBatch(ctx, "batch_a"); err != nil {
		t.Error(err)
	}
}

func TestWhatUsingDoesNotChangeItDoesNotTake(t *testing.T) {
	taken := reflect.TypeFor[batchgate.CallOption]()
	for _, option := range []batchgate.Option{batchgate.WithTLS(nil), batchgate.WithDialOptions()} {
		if reflect.TypeOf(option).AssignableTo(taken) {
			t.Error(reflect.TypeOf(option))
		}
	}
}
