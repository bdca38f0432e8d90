package batchgate

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
)

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	// Before anything has come a wrong address is more likely than a restart.
	firstContact = 5 * time.Second
)

// patience counts what has failed since a stream last brought something.
type patience struct {
	limit    time.Duration
	began    time.Time
	contact  bool
	failures int
}

func (p *patience) progress() { p.contact, p.failures = true, 0 }

// pause is how long to wait before the stream is begun anew; false where that does not help, or has
// been tried for long.
func (p *patience) pause(err error, now time.Time) (time.Duration, bool) {
	var failed *Error
	if !errors.As(err, &failed) || !passes(failed) {
		return 0, false
	}
	if p.failures == 0 && p.contact {
		p.began = now
	}
	p.failures++
	limit := p.limit
	if !p.contact {
		limit = min(limit, firstContact)
	}
	longest := longestPause
	if p.failures < 7 {
		longest = min(longest, firstPause<<(p.failures-1))
	}
	// Many clients of one gateway that restarts do not come back in step.
	pause := longest/2 + rand.N(longest/2+1)
	if failed.RetryAfter != nil {
		pause = max(pause, *failed.RetryAfter)
	}
	return pause, now.Add(pause).Sub(p.began) <= limit
}

// passes tells whether a failure may be gone when tried again. Without a reason of the contract, what
// broke off is the connection or something on the way; CANCELLED, which the caller was not, is a call
// that came in the moment of the gateway's stop.
func passes(failed *Error) bool {
	switch failed.Code {
	case codes.Unavailable:
		return true
	case codes.Internal, codes.Unknown, codes.Canceled:
		return failed.Reason == ""
	default:
		return false
	}
}

// received gives the messages of a stream that is begun anew where it breaks off. begin makes the
// call that goes on where the messages so far have ended, nil where nothing is left.
func received[Message any](
	ctx context.Context, c *Client,
	begin func(context.Context) (grpc.ServerStreamingClient[Message], error),
) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		waiting := patience{limit: c.settings.patience, began: time.Now()}
		for {
			done, err := receive(ctx, c, begin, &waiting, yield)
			if done {
				return
			}
			pause, again := waiting.pause(err, time.Now())
			// A closed connection is not one that broke.
			if !again || c.connection.GetState() == connectivity.Shutdown {
				yield(nil, err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			if ctx.Err() != nil {
				yield(nil, errorOf(ctx.Err(), nil))
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
		return false, errorOf(err, nil)
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
			return false, errorOf(err, stream.Trailer())
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
		return nil, errorOf(err, nil)
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
		return nil, errorOf(err, stream.Trailer())
	}
	return response, nil
}
