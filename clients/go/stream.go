package batchgate

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"
)

// received gives the messages of a stream that is restarted where it disconnects. begin makes the call
// that resumes after the messages so far, nil where nothing is left.
func received[Message any](
	ctx context.Context, c *Client,
	begin func(context.Context) (grpc.ServerStreamingClient[Message], error),
) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		waiting := patience{limit: c.settings.patience, maxRetries: c.settings.maxRetries, began: time.Now()}
		for {
			done, err := receive(ctx, c, begin, &waiting, yield)
			if done {
				return
			}
			pause, again := waiting.pause(err, time.Now())
			// A closed connection is not one that broke.
			if !again || c.closed() {
				yield(nil, err)
				return
			}
			if err := sleep(ctx, pause); err != nil {
				yield(nil, errorOf(ctx, err, nil))
				return
			}
		}
	}
}

// receive gives the messages of one call; done where no other is to follow.
func receive[Message any](
	ctx context.Context, c *Client,
	begin func(context.Context) (grpc.ServerStreamingClient[Message], error),
	waiting *patience, yield func(*Message, error) bool,
) (done bool, err error) {
	ctx, cancel := context.WithCancel(c.outgoing(ctx))
	// Also where the caller reads no further.
	defer cancel()
	stream, err := begin(ctx)
	if err != nil {
		return false, errorOf(ctx, err, nil)
	}
	if stream == nil {
		return true, nil
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, errorOf(ctx, err, stream.Trailer())
		}
		waiting.progress()
		if !yield(message, nil) {
			return true, nil
		}
	}
}

// sent makes a call whose caller streams. What the requests fail with is returned as it is, and
// nothing comes of the call.
func sent[Request, Response any](
	ctx context.Context, c *Client, requests iter.Seq2[*Request, error],
	call func(context.Context, ...grpc.CallOption) (grpc.ClientStreamingClient[Request, Response], error),
) (*Response, error) {
	ctx, cancel := context.WithCancel(c.outgoing(ctx))
	defer cancel()
	stream, err := call(ctx)
	if err != nil {
		return nil, errorOf(ctx, err, nil)
	}
	for request, err := range requests {
		if err != nil {
			return nil, err
		}
		// Encoded before it is sent, so that the next request may use the same memory.
		var encoded grpc.PreparedMsg
		if err := encoded.Encode(stream, request); err != nil {
			return nil, err
		}
		// The gateway has ended the call already; why, the response says.
		if stream.SendMsg(&encoded) != nil {
			break
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return nil, errorOf(ctx, err, stream.Trailer())
	}
	return response, nil
}
