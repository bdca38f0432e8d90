package batchgate

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// Outgoing is a context for calls of the client's stubs: with the client's token, key and metadata.
func (c *Client) Outgoing(ctx context.Context) context.Context { return c.outgoing(ctx) }

// ErrorOf is the Error for what a stub returned, with the trailing metadata of the call if it is at
// hand; nil for nil. Stubs do not retry by themselves.
func ErrorOf(err error, trailer metadata.MD) error {
	return errorOf(context.Background(), err, trailer)
}
