package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

const mostResults = 20

type operation struct {
	client  *batchgate.Client
	args    json.RawMessage
	timeout time.Duration
}

// answer is that of an operation that is no message.
type answer map[string]any

func (o operation) carryOut(op string) (answered any, requestID string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	streams := map[string]func(context.Context) (any, error){
		"UploadFile": o.upload, "UploadMessages": o.uploadMessages,
		"SubmitBatch": o.submit, "SubmitMessages": o.submitMessages,
		"DownloadFile": o.download, "WatchBatch": o.watch, "CancelWatch": o.cancelWatch,
		"WatchMany": o.watchMany, "DigestResults": o.digestResults,
		"StreamBatchResults": o.results, "ResumeResults": o.resumeResults,
		"ListAllFiles": o.listAllFiles, "ListAllBatches": o.listAllBatches,
	}
	if stream, ok := streams[op]; ok {
		answered, err = stream(ctx)
		return answered, "", err
	}
	return o.unary(ctx, op)
}

// unary calls the RPC by its stub, as all give the whole answer.
func (o operation) unary(ctx context.Context, op string) (any, string, error) {
	for _, stub := range []any{o.client.Files, o.client.Batches, o.client.Providers} {
		method := reflect.ValueOf(stub).MethodByName(op)
		if !method.IsValid() {
			continue
		}
		request := reflect.New(method.Type().In(1).Elem())
		if err := protojson.Unmarshal(o.args, request.Interface().(proto.Message)); err != nil {
			return nil, "", fmt.Errorf("args: %w", err)
		}
		var trailer metadata.MD
		call := []reflect.Value{
			reflect.ValueOf(o.client.Outgoing(ctx)), request, reflect.ValueOf(grpc.Trailer(&trailer)),
		}
		given := method.Call(call)
		err, _ := given[1].Interface().(error)
		requestID := strings.Join(trailer.Get("x-request-id"), "")
		return given[0].Interface(), requestID, batchgate.ErrorOf(err, trailer)
	}
	return nil, "", fmt.Errorf("no such operation: %s", op)
}

func (o operation) message(into proto.Message) error {
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(o.args, into)
}

func (o operation) content() ([]byte, int, error) {
	var given struct {
		Text, Base64, Line string
		Count              int
		ChunkBytes         int `json:"chunk_bytes"`
	}
	if err := json.Unmarshal(o.args, &given); err != nil {
		return nil, 0, err
	}
	if given.Base64 != "" {
		content, err := base64.StdEncoding.DecodeString(given.Base64)
		return content, given.ChunkBytes, err
	}
	if given.Line == "" {
		return []byte(given.Text), given.ChunkBytes, nil
	}
	var lines bytes.Buffer
	for n := 1; n <= given.Count; n++ {
		lines.WriteString(strings.ReplaceAll(given.Line, "{n}", strconv.Itoa(n)))
	}
	return lines.Bytes(), given.ChunkBytes, nil
}

func (o operation) upload(ctx context.Context) (any, error) {
	var given batchgatev1.UploadFileRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	content, size, err := o.content()
	if err != nil {
		return nil, err
	}
	options := []batchgate.UploadOption{}
	if size > 0 {
		options = append(options, batchgate.WithChunkBytes(size))
	}
	return o.client.UploadFile(ctx, bytes.NewReader(content), given.GetMetadata(), options...)
}

func (o operation) uploadMessages(ctx context.Context) (any, error) {
	stream, err := o.client.Files.UploadFile(o.client.Outgoing(ctx))
	return sendAll[batchgatev1.UploadFileRequest](o, stream, err)
}

func (o operation) submitMessages(ctx context.Context) (any, error) {
	stream, err := o.client.Batches.SubmitBatch(o.client.Outgoing(ctx))
	return sendAll[batchgatev1.SubmitBatchRequest](o, stream, err)
}

func sendAll[Request, Response any](
	o operation, stream grpc.ClientStreamingClient[Request, Response], err error,
) (any, error) {
	if err != nil {
		return nil, batchgate.ErrorOf(err, nil)
	}
	var given struct{ Messages []json.RawMessage }
	if err := json.Unmarshal(o.args, &given); err != nil {
		return nil, err
	}
	for _, text := range given.Messages {
		request := any(new(Request)).(proto.Message)
		if err := protojson.Unmarshal(text, request); err != nil {
			return nil, err
		}
		if stream.Send(any(request).(*Request)) != nil {
			break
		}
	}
	response, err := stream.CloseAndRecv()
	return response, batchgate.ErrorOf(err, stream.Trailer())
}

func (o operation) submit(ctx context.Context) (any, error) {
	var given batchgatev1.SubmitBatchRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	var rows struct {
		Rows  []json.RawMessage
		Row   json.RawMessage
		Count int
	}
	if err := json.Unmarshal(o.args, &rows); err != nil {
		return nil, err
	}
	for n := 1; n <= rows.Count; n++ {
		row := strings.ReplaceAll(string(rows.Row), "{n}", strconv.Itoa(n))
		rows.Rows = append(rows.Rows, json.RawMessage(row))
	}
	lines := make([]*batchgatev1.BatchLine, len(rows.Rows))
	for number, text := range rows.Rows {
		lines[number] = new(batchgatev1.BatchLine)
		if err := protojson.Unmarshal(text, lines[number]); err != nil {
			return nil, err
		}
	}
	return o.client.SubmitBatch(ctx, given.GetMetadata(), batchgate.Rows(lines...))
}

func (o operation) download(ctx context.Context) (any, error) {
	var given batchgatev1.DownloadFileRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	client := o.client.Using(batchgate.WithProvider(given.Provider))
	content := client.DownloadFile(ctx, given.FileId, given.ReadOffset, given.ReadLimit)
	defer content.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, content)
	return answer{"size_bytes": size, "sha256": hex.EncodeToString(digest.Sum(nil))}, err
}

func (o operation) watch(ctx context.Context) (any, error) {
	var given batchgatev1.WatchBatchRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	told := answer{}
	for news, err := range o.client.Using(batchgate.WithProvider(given.Provider)).WatchBatch(ctx, given.BatchId) {
		if err != nil {
			return nil, err
		}
		if told["first_event"] == nil {
			told["first_event"] = news.Event.String()
		}
		batch, err := plain(news.Batch)
		if err != nil {
			return nil, err
		}
		told["batch"] = batch
	}
	return told, nil
}

func (o operation) cancelWatch(ctx context.Context) (any, error) {
	var given batchgatev1.WatchBatchRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, err := range o.client.Using(batchgate.WithProvider(given.Provider)).WatchBatch(ctx, given.BatchId) {
		if err != nil {
			return nil, err
		}
		cancel()
	}
	return answer{}, nil
}

func (o operation) results(ctx context.Context) (any, error) {
	var given batchgatev1.StreamBatchResultsRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	rows, err := collect(o.client.Results(ctx, &given).All())
	if err != nil {
		return nil, err
	}
	return summary(rows)
}

func (o operation) resumeResults(ctx context.Context) (any, error) {
	var given batchgatev1.StreamBatchResultsRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	begun := o.client.Results(ctx, &given)
	var rows []*batchgatev1.BatchResult
	for message, err := range begun.Messages() {
		if err != nil {
			return nil, err
		}
		if rows = append(rows, message.Results...); len(rows) > 0 {
			break
		}
	}
	given.ResumeToken = begun.ResumeToken()
	rest, err := collect(o.client.Results(ctx, &given).All())
	if err != nil {
		return nil, err
	}
	return summary(append(rows, rest...))
}

func (o operation) listAllFiles(ctx context.Context) (any, error) {
	var given batchgatev1.ListFilesRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	return counted(o.client.ListFiles(ctx, &given), (*batchgatev1.File).GetId)
}

func (o operation) listAllBatches(ctx context.Context) (any, error) {
	var given batchgatev1.ListBatchesRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	return counted(o.client.ListBatches(ctx, &given), (*batchgatev1.Batch).GetId)
}

func counted[Item any](items iter.Seq2[Item, error], id func(Item) string) (any, error) {
	found, err := collect(items)
	ids := map[string]bool{}
	for _, one := range found {
		ids[id(one)] = true
	}
	return answer{"count": len(found), "distinct": len(ids)}, err
}

func collect[Item any](items iter.Seq2[Item, error]) ([]Item, error) {
	var all []Item
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

func summary(rows []*batchgatev1.BatchResult) (any, error) {
	slices.SortFunc(rows, func(a, b *batchgatev1.BatchResult) int {
		return strings.Compare(a.CustomId, b.CustomId)
	})
	succeeded, digest := 0, sha256.New()
	shown := []any{}
	for _, row := range rows {
		if row.Succeeded {
			succeeded++
		}
		fmt.Fprintln(digest, row.CustomId)
		one, err := plain(row)
		if err != nil {
			return nil, err
		}
		shown = append(shown, one)
	}
	told := answer{"count": len(rows), "succeeded": succeeded}
	if len(rows) <= mostResults {
		told["results"] = shown
	} else {
		told["sha256"] = hex.EncodeToString(digest.Sum(nil))
	}
	return told, nil
}

// failure is an error in the form of a line; an error that is no call's is returned.
func failure(failed error) (code string, details any, requestID string, err error) {
	var found *batchgate.Error
	if !errors.As(failed, &found) {
		return "", nil, "", failed
	}
	told := answer{
		"reason": found.Reason, "domain": found.Domain, "metadata": found.Metadata,
		"retry": found.RetryAfter != nil,
	}
	if found.Metadata == nil {
		told["metadata"] = answer{}
	}
	for name, violations := range map[string][]batchgate.Violation{
		"violations": found.Violations, "quotas": found.Quotas,
	} {
		fields := []string{}
		for _, one := range violations {
			fields = append(fields, one.Field)
		}
		if len(fields) > 0 {
			told[name] = fields
		}
	}
	return codeName(found.Code), told, found.RequestID, nil
}

// codeName is gRPC's name of a status, as NOT_FOUND.
func codeName(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED"
	}
	var words strings.Builder
	for number, letter := range code.String() {
		if number > 0 && letter >= 'A' && letter <= 'Z' && code != codes.OK {
			words.WriteByte('_')
		}
		words.WriteRune(letter)
	}
	return strings.ToUpper(words.String())
}
