// Package batchgate is a client of a batchgate gateway: OpenAI's and Azure OpenAI's Files and Batches
// APIs behind one gRPC endpoint.
//
// A Client is for any number of calls at once. Its methods take and return the messages of the
// contract (package batchgatev1) and fail with *Error. Reads are tried again while the gateway is
// Unavailable; uploads and creations never are. Watches, results and downloads that break off go on
// where they were, for as long as the client's patience lasts.
package batchgate

import (
	"context"
	"crypto/tls"
	"os"
	"time"

	"google.golang.org/grpc"
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
	// A chunk in few writes: many small ones cost more than all else.
	writeBufferBytes = 512 << 10
)

// gRPC clears a buffer each time that it takes one from its pool: one that fits a message with a chunk
// of 256 KiB costs a quarter of the next in its own row, of 1 MiB.
var bufferBytes = []int{256, 4 << 10, 16 << 10, 32 << 10, 257 << 10, 1 << 20}

// Calls that change nothing: what a gateway in a restart does not answer is asked again. One that comes
// in the moment of its stop is CANCELLED by gRPC, unread.
const serviceConfig = `{"methodConfig": [{
	"name": [
		{"service": "batchgate.v1.FileService", "method": "GetFile"},
		{"service": "batchgate.v1.FileService", "method": "ListFiles"},
		{"service": "batchgate.v1.BatchService", "method": "GetBatch"},
		{"service": "batchgate.v1.BatchService", "method": "ListBatches"},
		{"service": "batchgate.v1.BatchService", "method": "WaitBatch"},
		{"service": "batchgate.v1.ProviderService", "method": "ListProviders"}
	],
	"retryPolicy": {
		"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "3s", "backoffMultiplier": 3,
		"retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]
	}
}]}`

// Client calls one gateway.
type Client struct {
	// Files, Batches and Providers are the stubs, for what the methods do not offer.
	Files     batchgatev1.FileServiceClient
	Batches   batchgatev1.BatchServiceClient
	Providers batchgatev1.ProviderServiceClient

	connection *grpc.ClientConn
	settings   settings
}

type settings struct {
	provider, token, providerKey string
	metadata                     []string
	timeout, patience            time.Duration
	tls                          *tls.Config
	dial                         []grpc.DialOption
}

// Option sets something of a client.
type Option func(*settings)

// WithProvider sets the profile that calls mean which name none.
func WithProvider(name string) Option { return func(s *settings) { s.provider = name } }

// WithToken sets the caller's token, sent as "authorization: Bearer …".
func WithToken(token string) Option { return func(s *settings) { s.token = token } }

// WithProviderKey sets the caller's own key, for a profile with caller_credentials.
func WithProviderKey(key string) Option { return func(s *settings) { s.providerKey = key } }

// WithMetadata adds metadata to each call, as pairs of key and value.
func WithMetadata(pairs ...string) Option {
	return func(s *settings) { s.metadata = append(s.metadata[:len(s.metadata):len(s.metadata)], pairs...) }
}

// WithTimeout sets the deadline of unary calls whose context has none. The default is one minute;
// creations have 15.
func WithTimeout(timeout time.Duration) Option { return func(s *settings) { s.timeout = timeout } }

// WithPatience sets for how long a stream that broke off is begun anew while no gateway answers. The
// default is five minutes.
func WithPatience(patience time.Duration) Option {
	return func(s *settings) { s.patience = patience }
}

// WithTLS turns TLS on; a certificate in the configuration is the caller's own, for mutual TLS.
func WithTLS(config *tls.Config) Option { return func(s *settings) { s.tls = config } }

// WithDialOptions adds options of gRPC's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

// New makes a client of the gateway at an address such as "127.0.0.1:50051" or "unix:/path". It
// connects with the first call.
func New(address string, options ...Option) (*Client, error) {
	set := settings{timeout: defaultTimeout, patience: defaultPatience}
	for _, option := range options {
		option(&set)
	}
	transport := insecure.NewCredentials()
	if set.tls != nil {
		transport = credentials.NewTLS(set.tls)
	}
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
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

// FromEnvironment makes a client with what BATCHGATE_ADDRESS, BATCHGATE_TOKEN and BATCHGATE_PROVIDER
// say; options come first.
func FromEnvironment(options ...Option) (*Client, error) {
	address := os.Getenv("BATCHGATE_ADDRESS")
	if address == "" {
		address = "127.0.0.1:50051"
	}
	given := []Option{
		WithToken(os.Getenv("BATCHGATE_TOKEN")),
		WithProvider(os.Getenv("BATCHGATE_PROVIDER")),
	}
	return New(address, append(given, options...)...)
}

// Using is a client on the same connection in which these options count instead. Only the first one
// is closed.
func (c *Client) Using(options ...Option) *Client {
	other := *c
	for _, option := range options {
		option(&other.settings)
	}
	return &other
}

// Close closes the connection. Calls that run fail with Canceled.
func (c *Client) Close() error { return c.connection.Close() }

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

// unary makes one call, within timeout where the context has no deadline.
func unary[Request, Response any](
	ctx context.Context, c *Client, timeout time.Duration, request *Request,
	call func(context.Context, *Request, ...grpc.CallOption) (*Response, error),
) (*Response, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var trailer metadata.MD
	response, err := call(c.outgoing(ctx), request, grpc.Trailer(&trailer))
	if err != nil {
		return nil, errorOf(err, trailer)
	}
	return response, nil
}
