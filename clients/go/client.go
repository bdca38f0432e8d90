// Package batchgate is a client of a batchgate gateway: OpenAI's and Azure OpenAI's Files and Batches
// APIs behind one gRPC endpoint.
//
// A Client is for any number of calls at once. Its methods take and return the messages of the
// contract (package batchgatev1) and fail with *Error. What is safe to repeat is retried where the
// gateway is Unavailable or says how long to wait (RetryInfo): reads, and creations with a RequestId.
// Watches, results and downloads resume where they were, for as long as the client's patience lasts.
package batchgate

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

const (
	defaultTimeout   = time.Minute
	creationTimeout  = 15 * time.Minute
	defaultPatience  = 5 * time.Minute
	maxMessageBytes  = 16 << 20
	keepaliveTime    = 40 * time.Second
	keepaliveTimeout = 20 * time.Second
	connectTimeout   = 20 * time.Second
	// A chunk in few writes: many small ones cost more than all else.
	writeBufferBytes = 512 << 10
)

// gRPC clears a buffer each time that it takes one from its pool: one that fits a message with a chunk
// of 256 KiB costs a quarter of the next in its own row, of 1 MiB.
var bufferBytes = []int{256, 4 << 10, 16 << 10, 32 << 10, 257 << 10, 1 << 20}

var reconnecting = backoff.Config{
	BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second,
}

// Client calls one gateway.
type Client struct {
	// Files, Batches and Providers are the stubs, for what the methods do not offer.
	Files     batchgatev1.FileServiceClient
	Batches   batchgatev1.BatchServiceClient
	Providers batchgatev1.ProviderServiceClient

	connection *grpc.ClientConn
	settings   settings
	derived    bool
}

// New makes a client of the gateway at an address such as "127.0.0.1:50051" or "unix:/path". It
// connects with the first call.
func New(address string, options ...Option) (*Client, error) {
	set := settings{timeout: defaultTimeout, patience: defaultPatience, maxRetries: byDefault}
	for _, option := range options {
		option.apply(&set)
	}
	transport := insecure.NewCredentials()
	if set.tls != nil {
		transport = credentials.NewTLS(set.tls)
	}
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		// A gateway that comes back is found soon.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnecting, MinConnectTimeout: connectTimeout}),
		grpc.WithWriteBufferSize(writeBufferBytes),
		experimental.WithBufferPool(mem.NewTieredBufferPool(bufferBytes...)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		// A watch is silent for up to 30 s; a dead connection is noticed soon after that.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
	}, set.dial...)
	connection, err := grpc.NewClient(address, dial...)
	if err != nil {
		return nil, err
	}
	return &Client{
		Files:      batchgatev1.NewFileServiceClient(connection),
		Batches:    batchgatev1.NewBatchServiceClient(connection),
		Providers:  batchgatev1.NewProviderServiceClient(connection),
		connection: connection,
		settings:   set,
	}, nil
}

// Using is a client on the same connection in which these options count instead. Closing it does
// nothing: the connection is closed with the client that New made.
func (c *Client) Using(options ...CallOption) *Client {
	other := *c
	other.derived = true
	for _, option := range options {
		option.apply(&other.settings)
	}
	return &other
}

// Close closes the connection, also for clients made by Using: calls that run fail with Canceled. On a
// client made by Using it does nothing.
func (c *Client) Close() error {
	if c.derived {
		return nil
	}
	return c.connection.Close()
}

func (c *Client) closed() bool { return c.connection.GetState() == connectivity.Shutdown }

// outgoing is the context of a call: who calls, in its metadata.
func (c *Client) outgoing(ctx context.Context) context.Context {
	pairs := c.settings.metadata
	if c.settings.token != "" {
		pairs = append(pairs[:len(pairs):len(pairs)], "authorization", "Bearer "+c.settings.token)
	}
	if c.settings.providerKey != "" {
		pairs = append(pairs[:len(pairs):len(pairs)], "x-provider-key", c.settings.providerKey)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// copyOf is a message of one's own with what is in the caller's, of which nil is an empty one.
func copyOf[M proto.Message](message M) M {
	own := message.ProtoReflect().New().Interface()
	proto.Merge(own, message)
	return own.(M)
}

// orDefault is the provider of a request that may name none.
func (c *Client) orDefault(provider string) string {
	if provider == "" {
		return c.settings.provider
	}
	return provider
}
