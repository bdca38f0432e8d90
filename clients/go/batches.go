package batchgate

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

const (
	waitMargin   = 30 * time.Second
	messageBytes = 256 << 10
)

// CreateBatch makes a batch of an uploaded file. With a RequestId it is safe to repeat. A context
// without a deadline gets 15 minutes, as the file may have to be processed first.
func (c *Client) CreateBatch(
	ctx context.Context, request *batchgatev1.CreateBatchRequest,
) (*batchgatev1.Batch, error) {
	asked := copyOf(request)
	asked.Provider = c.orDefault(asked.Provider)
	response, err := once(ctx, c, creationTimeout, asked, c.Batches.CreateBatch)
	return response.GetBatch(), err
}

// GetBatch gets a batch as it is now.
func (c *Client) GetBatch(ctx context.Context, batchID string) (*batchgatev1.Batch, error) {
	request := &batchgatev1.GetBatchRequest{Provider: c.settings.provider, BatchId: batchID}
	response, err := read(ctx, c, c.settings.timeout, request, c.Batches.GetBatch)
	return response.GetBatch(), err
}

// ListBatches gives all batches, newest first, page after page; nil asks for pages of the default
// size. It ends with the first error.
func (c *Client) ListBatches(
	ctx context.Context, request *batchgatev1.ListBatchesRequest,
) iter.Seq2[*batchgatev1.Batch, error] {
	asked := copyOf(request)
	asked.Provider = c.orDefault(asked.Provider)
	return pages(asked.PageToken, func(token string) ([]*batchgatev1.Batch, string, error) {
		wanted := copyOf(asked)
		wanted.PageToken = token
		page, err := read(ctx, c, c.settings.timeout, wanted, c.Batches.ListBatches)
		return page.GetBatches(), page.GetNextPageToken(), err
	})
}

// CancelBatch asks for a batch's end; what is answered already stays.
func (c *Client) CancelBatch(ctx context.Context, batchID string) (*batchgatev1.Batch, error) {
	request := &batchgatev1.CancelBatchRequest{Provider: c.settings.provider, BatchId: batchID}
	response, err := once(ctx, c, c.settings.timeout, request, c.Batches.CancelBatch)
	return response.GetBatch(), err
}

// WatchBatch gives what happens to a batch, from a snapshot at once to its end. Where the gateway goes
// away, the watch goes on with another; what changed meanwhile comes as a CHANGE.
func (c *Client) WatchBatch(
	ctx context.Context, batchID string,
) iter.Seq2[*batchgatev1.WatchBatchResponse, error] {
	request := &batchgatev1.WatchBatchRequest{Provider: c.settings.provider, BatchId: batchID}
	begin := func(ctx context.Context) (grpc.ServerStreamingClient[batchgatev1.WatchBatchResponse], error) {
		return c.Batches.WatchBatch(ctx, request)
	}
	return func(yield func(*batchgatev1.WatchBatchResponse, error) bool) {
		var seen *batchgatev1.Batch
		for news, err := range received(ctx, c, begin) {
			if err == nil {
				again := seen != nil && news.Event == batchgatev1.WatchEvent_WATCH_EVENT_SNAPSHOT
				if again && proto.Equal(seen, news.Batch) {
					continue
				}
				if again {
					news.Event = batchgatev1.WatchEvent_WATCH_EVENT_CHANGE
				}
				seen = news.Batch
			}
			if !yield(news, err) {
				return
			}
		}
	}
}

// WaitBatch gets a batch once it has ended, or as it is after that time, at most five minutes; Done
// tells.
func (c *Client) WaitBatch(
	ctx context.Context, batchID string, timeout time.Duration,
) (*batchgatev1.WaitBatchResponse, error) {
	request := &batchgatev1.WaitBatchRequest{
		Provider: c.settings.provider, BatchId: batchID, Timeout: durationpb.New(timeout),
	}
	return read(ctx, c, timeout+waitMargin, request, c.Batches.WaitBatch)
}

// Row is a row of a batch to submit; body is anything that encoding/json takes.
func Row(customID string, body any) (*batchgatev1.BatchLine, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &batchgatev1.BatchLine{
		CustomId: customID, Body: &batchgatev1.BatchLine_BodyJson{BodyJson: string(text)},
	}, nil
}

// Rows gives rows that are all there, for SubmitBatch.
func Rows(rows ...*batchgatev1.BatchLine) iter.Seq2[*batchgatev1.BatchLine, error] {
	return func(yield func(*batchgatev1.BatchLine, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// SubmitBatch makes a batch of rows, without a file of one's own. With a RequestId it is safe to
// repeat. Where rows give an error it is returned as it is, and nothing is created.
func (c *Client) SubmitBatch(
	ctx context.Context, metadata *batchgatev1.SubmitBatchMetadata,
	rows iter.Seq2[*batchgatev1.BatchLine, error],
) (*batchgatev1.SubmitBatchResponse, error) {
	about := copyOf(metadata)
	about.Provider = c.orDefault(about.Provider)
	return sent(ctx, c, submission(about, rows), c.Batches.SubmitBatch)
}

func submission(
	metadata *batchgatev1.SubmitBatchMetadata, rows iter.Seq2[*batchgatev1.BatchLine, error],
) iter.Seq2[*batchgatev1.SubmitBatchRequest, error] {
	return func(yield func(*batchgatev1.SubmitBatchRequest, error) bool) {
		about := &batchgatev1.SubmitBatchRequest_Metadata{Metadata: metadata}
		if !yield(&batchgatev1.SubmitBatchRequest{Payload: about}, nil) {
			return
		}
		var packed []*batchgatev1.BatchLine
		size := 0
		flush := func() bool {
			lines := &batchgatev1.SubmitBatchRequest_Lines{Lines: &batchgatev1.BatchLines{Lines: packed}}
			packed, size = nil, 0
			return yield(&batchgatev1.SubmitBatchRequest{Payload: lines}, nil)
		}
		for row, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			packed, size = append(packed, row), size+proto.Size(row)
			if size >= messageBytes && !flush() {
				return
			}
		}
		if len(packed) > 0 {
			flush()
		}
	}
}

// RetryBatch makes a new batch of the lines without success. With a RequestId it is safe to repeat.
func (c *Client) RetryBatch(
	ctx context.Context, request *batchgatev1.RetryBatchRequest,
) (*batchgatev1.RetryBatchResponse, error) {
	asked := copyOf(request)
	asked.Provider = c.orDefault(asked.Provider)
	return once(ctx, c, creationTimeout, asked, c.Batches.RetryBatch)
}

// ListProviders lists the profiles that the caller may use; with checkHealth each provider is asked
// now.
func (c *Client) ListProviders(
	ctx context.Context, checkHealth bool,
) ([]*batchgatev1.Provider, error) {
	request := &batchgatev1.ListProvidersRequest{CheckHealth: checkHealth}
	response, err := read(ctx, c, c.settings.timeout, request, c.Providers.ListProviders)
	return response.GetProviders(), err
}

// Health tells whether the gateway serves, or one service of it.
func (c *Client) Health(ctx context.Context, service string) (bool, error) {
	request := &grpc_health_v1.HealthCheckRequest{Service: service}
	check := grpc_health_v1.NewHealthClient(c.connection).Check
	response, err := once(ctx, c, c.settings.timeout, request, check)
	return response.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING, err
}
