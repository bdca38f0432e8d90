package batchgate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

// Error is what a call that failed returns; errors.As finds it.
type Error struct {
	// Code is the gRPC status.
	Code codes.Code
	// Reason is the contract's word, such as "PROVIDER_NOT_FOUND"; empty where no gateway has answered.
	Reason string
	// Domain is that of the reason, "batchgate".
	Domain string
	// Message says what went wrong, for people.
	Message string
	// Metadata holds provider, http_status, provider_code and others, where known.
	Metadata map[string]string
	// RetryAfter is when to try again; nil where waiting does not help.
	RetryAfter *time.Duration
	// Violations are the fields, or the lines of a file, that are wrong.
	Violations []Violation
	// Quotas are those that are used up.
	Quotas []Violation
	// RequestID is the call's x-request-id, by which the gateway's log has it.
	RequestID string
	// ProviderRequestID is the provider's own.
	ProviderRequestID string

	status *status.Status
	cause  error
}

// Violation is one thing that is wrong with a request, or one quota that is used up.
type Violation struct {
	// Field is the field, such as "metadata.filename"; of a quota its subject.
	Field string
	// Description says what is wrong, for people.
	Description string
}

// Error is one line for people: the code, the reason and the message.
func (e *Error) Error() string {
	words := strings.TrimSpace(e.Code.String() + " " + e.Reason)
	return fmt.Sprintf("batchgate: %s: %s", words, e.Message)
}

// Unwrap is context.Canceled or context.DeadlineExceeded where the call ended for that reason on this
// side, so that errors.Is finds it.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus is the status as it came, for status.FromError and status.Code.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// IsReason tells whether err is an Error with that reason.
func IsReason(err error, reason batchgatev1.ErrorReason) bool {
	var failed *Error
	return errors.As(err, &failed) && "ERROR_REASON_"+failed.Reason == reason.String()
}

// causeOf is the error of the context because of which a call ended with that status. A deadline may be
// over at the gateway a moment before it is here; Canceled without the context's end is the gateway's.
func causeOf(ctx context.Context, failed *Error) error {
	switch {
	case failed.Code == codes.DeadlineExceeded && failed.Reason == "":
		return context.DeadlineExceeded
	case failed.Code == codes.Canceled || failed.Code == codes.DeadlineExceeded:
		return ctx.Err()
	default:
		return nil
	}
}

// errorOf is the Error for what a stub returned. Errors of no call stay as they are.
func errorOf(ctx context.Context, err error, trailer metadata.MD) error {
	if err == nil {
		return nil
	}
	told, ok := status.FromError(err)
	if !ok {
		told = status.FromContextError(err)
		if told.Code() == codes.Unknown {
			return err
		}
	}
	failed := &Error{
		Code:              told.Code(),
		Message:           told.Message(),
		RequestID:         first(trailer, "x-request-id"),
		ProviderRequestID: first(trailer, "x-provider-request-id"),
		status:            told,
	}
	for _, detail := range told.Details() {
		switch one := detail.(type) {
		case *errdetails.ErrorInfo:
			failed.Reason, failed.Domain, failed.Metadata = one.Reason, one.Domain, one.Metadata
		case *errdetails.RetryInfo:
			after := one.RetryDelay.AsDuration()
			failed.RetryAfter = &after
		case *errdetails.BadRequest:
			for _, each := range one.FieldViolations {
				failed.Violations = append(failed.Violations, Violation{each.Field, each.Description})
			}
		case *errdetails.QuotaFailure:
			for _, each := range one.Violations {
				failed.Quotas = append(failed.Quotas, Violation{each.Subject, each.Description})
			}
		}
	}
	failed.cause = causeOf(ctx, failed)
	return failed
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}
