package batchgate

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	// Before a gateway has answered, a wrong address is more likely than a restart.
	firstContact = 5 * time.Second
	callRetries  = 4
)

// passes tells whether a failure may be gone when tried again: where the gateway says when (RetryInfo),
// or somebody is Unavailable. Without a reason of the contract the connection was lost, or something on
// the way; a Canceled that the caller did not ask for is a call that arrived while the gateway stopped.
func passes(failed *Error) bool {
	if failed.Reason == "OUTCOME_UNKNOWN" {
		return false
	}
	if failed.RetryAfter != nil {
		return true
	}
	switch failed.Code {
	case codes.Unavailable:
		return true
	case codes.Internal, codes.Unknown, codes.Canceled:
		return failed.Reason == ""
	default:
		return false
	}
}

// pauseAfter is how long to wait after so many failures in a row: random, so that the many clients of one
// gateway do not come back in step. False where less time is left than that takes.
func pauseAfter(failed *Error, failures int, left time.Duration) (time.Duration, bool) {
	longest := longestPause
	if failures < 7 {
		longest = min(longest, firstPause<<(failures-1))
	}
	if failed.RetryAfter == nil {
		pause := longest/2 + rand.N(longest/2+1)
		return pause, pause <= left
	}
	least := *failed.RetryAfter
	return min(least+rand.N(max(longest, least/2)+1), left), least <= left
}

// patience counts what has failed since a stream last brought something.
type patience struct {
	limit      time.Duration
	maxRetries int
	began      time.Time
	contact    bool
	failures   int
}

func (p *patience) progress() { p.contact, p.failures = true, 0 }

// pause is how long to wait before the stream is restarted; false where that does not help, or has
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
	if p.maxRetries != byDefault && p.failures > p.maxRetries {
		return 0, false
	}
	limit := p.limit
	// A reason of the contract shows that the address is a gateway's.
	if !p.contact && failed.Reason == "" {
		limit = min(limit, firstContact)
	}
	return pauseAfter(failed, p.failures, p.began.Add(limit).Sub(now))
}

// sleep waits, but not past the end of the context, whose error it returns.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

type unaryCall[Request, Response any] func(
	context.Context, *Request, ...grpc.CallOption,
) (*Response, error)

// read makes a call that changes nothing, within timeout where the context has no deadline; it is
// retried.
func read[Request, Response any](
	ctx context.Context, c *Client, timeout time.Duration, request *Request, call unaryCall[Request, Response],
) (*Response, error) {
	return repeated(ctx, c, timeout, request, call, true)
}

// once makes a call that changes something; it is retried if a request id makes that safe.
func once[Request, Response any](
	ctx context.Context, c *Client, timeout time.Duration, request *Request, call unaryCall[Request, Response],
) (*Response, error) {
	identified, _ := any(request).(interface{ GetRequestId() string })
	return repeated(ctx, c, timeout, request, call, identified != nil && identified.GetRequestId() != "")
}

func repeated[Request, Response any](
	ctx context.Context, c *Client, timeout time.Duration, request *Request,
	call unaryCall[Request, Response], safe bool,
) (*Response, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	retries := callRetries
	if c.settings.maxRetries != byDefault {
		retries = c.settings.maxRetries
	}
	for failures := 1; ; failures++ {
		var trailer metadata.MD
		response, err := call(c.outgoing(ctx), request, grpc.Trailer(&trailer))
		if err == nil {
			return response, nil
		}
		err = errorOf(ctx, err, trailer)
		var failed *Error
		again := safe && failures <= retries && errors.As(err, &failed) && passes(failed)
		if !again || ctx.Err() != nil || c.closed() {
			return nil, err
		}
		// What the deadline leaves no time for is reported at once.
		end, _ := ctx.Deadline()
		pause, again := pauseAfter(failed, failures, time.Until(end))
		if !again || sleep(ctx, pause) != nil {
			return nil, err
		}
	}
}
