package batchgate

import (
	"context"
	"iter"

	"google.golang.org/grpc"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

// Results are the rows of a batch. They are read once, by All or by Messages.
type Results struct {
	ctx     context.Context
	client  *Client
	request *batchgatev1.StreamBatchResultsRequest
	token   string
}

// Results begins with the first row that is read. Where the gateway goes away in the middle, they
// resume: no row is lost or comes twice. Without WaitUntilDone a batch that has not ended is an error.
func (c *Client) Results(ctx context.Context, request *batchgatev1.StreamBatchResultsRequest) *Results {
	asked := copyOf(request)
	asked.Provider = c.orDefault(asked.Provider)
	return &Results{ctx: ctx, client: c, request: asked, token: asked.ResumeToken}
}

// ResumeToken goes on, in another process too, after the last message whose rows have all been given
// out; rows given out since then come again.
func (r *Results) ResumeToken() string { return r.token }

// Messages gives the rows by messages, some hundred rows each; a row that is cut over several messages is
// joined before. It ends with the first error.
func (r *Results) Messages() iter.Seq2[*batchgatev1.StreamBatchResultsResponse, error] {
	return func(yield func(*batchgatev1.StreamBatchResultsResponse, error) bool) {
		for message, err := range r.received() {
			if err == nil {
				r.token = message.ResumeToken
			}
			if !yield(message, err) {
				return
			}
		}
	}
}

// All gives the rows one by one. It ends with the first error.
func (r *Results) All() iter.Seq2[*batchgatev1.BatchResult, error] {
	return func(yield func(*batchgatev1.BatchResult, error) bool) {
		for message, err := range r.received() {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(message.Results) == 0 {
				r.token = message.ResumeToken
			}
			for number, row := range message.Results {
				if number == len(message.Results)-1 {
					r.token = message.ResumeToken
				}
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// received gives messages whose rows are whole, each once.
func (r *Results) received() iter.Seq2[*batchgatev1.StreamBatchResultsResponse, error] {
	rows := rowJoiner{token: r.request.ResumeToken}
	begin := func(ctx context.Context) (grpc.ServerStreamingClient[batchgatev1.StreamBatchResultsResponse], error) {
		rows.restart()
		request := copyOf(r.request)
		request.ResumeToken = rows.token
		return r.client.Batches.StreamBatchResults(ctx, request)
	}
	return func(yield func(*batchgatev1.StreamBatchResultsResponse, error) bool) {
		for message, err := range received(r.ctx, r.client, begin) {
			if err == nil {
				err = rows.add(message)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(message, nil) {
				return
			}
		}
		if err := rows.end(); err != nil {
			yield(nil, err)
		}
	}
}
