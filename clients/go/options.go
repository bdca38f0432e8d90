package batchgate

import (
	"crypto/tls"
	"time"

	"google.golang.org/grpc"
)

// byDefault stands for no number of retries of one's own.
const byDefault = -1

type settings struct {
	provider, token, providerKey string
	metadata                     []string
	timeout, patience            time.Duration
	maxRetries                   int
	tls                          *tls.Config
	dial                         []grpc.DialOption
}

// Option sets something of a new client.
type Option interface{ apply(*settings) }

// CallOption sets something of a client's calls, so that Using takes it too.
type CallOption func(*settings)

func (o CallOption) apply(s *settings) { o(s) }

// connectionOption sets something of the connection, which Using does not change.
type connectionOption func(*settings)

func (o connectionOption) apply(s *settings) { o(s) }

// WithProvider sets the profile that calls mean which name none.
func WithProvider(name string) CallOption { return func(s *settings) { s.provider = name } }

// WithToken sets the caller's token, sent as "authorization: Bearer …".
func WithToken(token string) CallOption { return func(s *settings) { s.token = token } }

// WithProviderKey sets the caller's own key, for a profile with caller_credentials.
func WithProviderKey(key string) CallOption { return func(s *settings) { s.providerKey = key } }

// WithMetadata adds metadata to each call, as pairs of key and value.
func WithMetadata(pairs ...string) CallOption {
	return func(s *settings) { s.metadata = append(s.metadata[:len(s.metadata):len(s.metadata)], pairs...) }
}

// WithTimeout sets the deadline of unary calls whose context has none. The default is one minute;
// creations have 15.
func WithTimeout(timeout time.Duration) CallOption { return func(s *settings) { s.timeout = timeout } }

// WithPatience sets for how long failures of a stream may follow each other before the last one ends
// it. The default is five minutes.
func WithPatience(patience time.Duration) CallOption {
	return func(s *settings) { s.patience = patience }
}

// WithMaxRetries sets how often in a row a call or a stream is retried; 0 (or less) means never. By
// default a call is retried four times within its deadline, and a stream for as long as its patience
// lasts.
func WithMaxRetries(retries int) CallOption {
	return func(s *settings) { s.maxRetries = max(retries, 0) }
}

// WithTLS turns TLS on; a certificate in the configuration is the caller's own, for mutual TLS.
func WithTLS(config *tls.Config) Option {
	return connectionOption(func(s *settings) { s.tls = config })
}

// WithDialOptions adds options of gRPC's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return connectionOption(func(s *settings) { s.dial = append(s.dial, options...) })
}
