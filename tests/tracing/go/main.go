// Uploads a file with a trace of its own, by OpenTelemetry's interceptors for gRPC: ADDRESS FILE. Prints
// the trace's id. Where spans go, the OTEL_* variables say.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

func main() {
	if err := upload(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func upload(ctx context.Context, address, path string) error {
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	defer provider.Shutdown(ctx)
	traced := otelgrpc.NewClientHandler(
		otelgrpc.WithTracerProvider(provider), otelgrpc.WithPropagators(propagation.TraceContext{}),
	)
	client, err := batchgate.New(address, batchgate.WithDialOptions(grpc.WithStatsHandler(traced)))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, span := provider.Tracer("uploads").Start(ctx, "nightly upload")
	defer span.End()
	about := &batchgatev1.UploadFileMetadata{Purpose: "vision"}
	if _, err := client.UploadPath(ctx, path, about); err != nil {
		return err
	}
	fmt.Println(span.SpanContext().TraceID())
	return nil
}
