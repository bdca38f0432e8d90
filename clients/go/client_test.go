package batchgate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

const endpoint = "/v1/chat/completions"

// open makes a client of the gateway that tests/polyglot starts, with a context for the test.
func open(t *testing.T, options ...batchgate.Option) (*batchgate.Client, context.Context) {
	t.Helper()
	address := os.Getenv("BATCHGATE_TEST_ADDRESS")
	if address == "" {
		t.Skip("needs a gateway: started by tests/polyglot")
	}
	client, err := batchgate.New(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return client, ctx
}

// restart has the gateway killed and started again.
func restart(t *testing.T) {
	t.Helper()
	answer, err := http.Post(os.Getenv("BATCHGATE_TEST_CONTROL")+"/restart", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatal(answer.Status)
	}
}

func submit(t *testing.T, client *batchgate.Client, ctx context.Context, count int, metadata map[string]string) string {
	t.Helper()
	rows := make([]*batchgatev1.BatchLine, count)
	for n := range rows {
		row, err := batchgate.Row("row-"+strconv.Itoa(n), map[string]any{"messages": []any{}})
		if err != nil {
			t.Fatal(err)
		}
		rows[n] = row
	}
	submitted, err := client.SubmitBatch(ctx, &batchgatev1.SubmitBatchMetadata{
		Endpoint: endpoint, Model: "gpt-4o-mini", Metadata: metadata,
		InputExpiresAfter: durationpb.New(2 * time.Hour),
	}, batchgate.Rows(rows...))
	if err != nil {
		t.Fatal(err)
	}
	return submitted.Batch.Id
}

func TestAFileIsUploadedFromAPathWithItsNameAndSize(t *testing.T) {
	client, ctx := open(t)
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var told []int64
	response, err := client.UploadPath(ctx, path, &batchgatev1.UploadFileMetadata{Purpose: "user_data"},
		batchgate.WithChunkBytes(300_000), batchgate.WithProgress(func(sent int64) { told = append(told, sent) }))
	if err != nil {
		t.Fatal(err)
	}
	if response.File.Filename != "notes.txt" || response.File.GetSizeBytes() != 1_000_000 {
		t.Error(response.File)
	}
	if want := []int64{300_000, 600_000, 900_000, 1_000_000}; !slices.Equal(told, want) {
		t.Error(told)
	}
	// What was announced is not what comes: a file that is cut short is no file.
	size := int64(5)
	_, err = client.UploadFile(ctx, strings.NewReader("abc"), &batchgatev1.UploadFileMetadata{
		Filename: "a.txt", Purpose: "user_data", SizeBytes: &size,
	})
	if !batchgate.IsReason(err, batchgatev1.ErrorReason_ERROR_REASON_CHECKSUM_MISMATCH) {
		t.Error(err)
	}
	if _, err := client.UploadPath(ctx, path+".missing", nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestAnUploadThatTheGatewayEndsEarlySaysWhy(t *testing.T) {
	client, ctx := open(t)
	faulty := strings.NewReader(strings.Repeat("{\"custom_id\": \"a\"}\n", 500_000))
	_, err := client.UploadFile(ctx, faulty, &batchgatev1.UploadFileMetadata{Filename: "faulty.jsonl"})
	var failed *batchgate.Error
	if !errors.As(err, &failed) || failed.Reason != "INVALID_JSONL" {
		t.Fatal(err)
	}
	if len(failed.Violations) != 100 || failed.RequestID == "" {
		t.Error(len(failed.Violations), failed.RequestID)
	}
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "InvalidArgument INVALID_JSONL: ") {
		t.Error(err)
	}
}

var errBroken = errors.New("the disk is broken")

type broken struct{ left int }

func (b *broken) Read(into []byte) (int, error) {
	if b.left -= len(into); b.left < 0 {
		return 0, errBroken
	}
	return len(into), nil
}

func TestWhatReadingFailsWithIsReturnedAndNothingIsCreated(t *testing.T) {
	client, ctx := open(t)
	before := count(t, client, ctx)
	_, err := client.UploadFile(ctx, &broken{left: 3 << 20}, &batchgatev1.UploadFileMetadata{
		Filename: "a.bin", Purpose: "user_data",
	})
	if !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if after := count(t, client, ctx); after != before {
		t.Error(before, after)
	}
}

func count(t *testing.T, client *batchgate.Client, ctx context.Context) int {
	t.Helper()
	files := 0
	for _, err := range client.ListFiles(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		files++
	}
	return files
}

func TestADownloadGoesOnAfterARestart(t *testing.T) {
	client, ctx := open(t)
	content := make([]byte, 0, 32<<20)
	for n := range uint64(4 << 20) {
		content = binary.BigEndian.AppendUint64(content, n)
	}
	uploaded, err := client.UploadFile(ctx, bytes.NewReader(content), &batchgatev1.UploadFileMetadata{
		Filename: "numbers.jsonl", JsonlCheck: batchgatev1.JsonlCheck_JSONL_CHECK_OFF,
	})
	if err != nil {
		t.Fatal(err)
	}
	reader := client.DownloadFile(ctx, uploaded.File.Id, 8, 0)
	defer reader.Close()
	head := make([]byte, 1000)
	if _, err := io.ReadFull(reader, head); err != nil {
		t.Fatal(err)
	}
	restart(t)
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(head, rest...), content[8:]) {
		t.Error("other bytes came")
	}
	part, err := io.ReadAll(client.DownloadFile(ctx, uploaded.File.Id, 16, 8))
	if err != nil || binary.BigEndian.Uint64(part) != 2 {
		t.Error(part, err)
	}
}

func TestResultsHaveEachRowOnceAfterARestart(t *testing.T) {
	client, ctx := open(t)
	const rows = 20_000
	id := submit(t, client, ctx, rows, nil)
	seen := map[string]int{}
	results := client.Results(ctx, &batchgatev1.StreamBatchResultsRequest{BatchId: id, WaitUntilDone: true})
	for row, err := range results.All() {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 {
			restart(t)
		}
		seen[row.CustomId]++
	}
	if len(seen) != rows {
		t.Error(len(seen))
	}
	for id, times := range seen {
		if times != 1 {
			t.Error(id, times)
		}
	}
	if results.ResumeToken() == "" {
		t.Error("no token")
	}
}

func TestAWatchGoesOnAfterARestart(t *testing.T) {
	client, ctx := open(t)
	id := submit(t, client, ctx, 4, map[string]string{"sandbox_outcome": "stalled"})
	var events []batchgatev1.WatchEvent
	var last *batchgatev1.Batch
	for news, err := range client.WatchBatch(ctx, id) {
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			restart(t)
			if _, err := client.CancelBatch(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		events, last = append(events, news.Event), news.Batch
	}
	if last.Status != batchgatev1.BatchStatus_BATCH_STATUS_CANCELLED {
		t.Error(last)
	}
	if slices.Contains(events[1:], batchgatev1.WatchEvent_WATCH_EVENT_SNAPSHOT) {
		t.Error(events)
	}
}

func TestWhatFailedIsRetriedAndWhatIsNotFinishedIsNot(t *testing.T) {
	client, ctx := open(t)
	line, err := batchgate.Row("late", map[string]any{
		"messages": []any{}, "sandbox": map[string]any{"fail": 503, "times": 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	submitted, err := client.SubmitBatch(ctx,
		&batchgatev1.SubmitBatchMetadata{Endpoint: endpoint, Model: "gpt-4o-mini"}, batchgate.Rows(line))
	if err != nil {
		t.Fatal(err)
	}
	if waited, err := client.WaitBatch(ctx, submitted.Batch.Id, 20*time.Second); err != nil || !waited.Done {
		t.Fatal(waited, err)
	}
	retried, err := client.RetryBatch(ctx, &batchgatev1.RetryBatchRequest{BatchId: submitted.Batch.Id})
	if err != nil || retried.LineCount != 1 {
		t.Fatal(retried, err)
	}
	stalled := submit(t, client, ctx, 4, map[string]string{"sandbox_outcome": "stalled"})
	for _, err := range client.Results(ctx, &batchgatev1.StreamBatchResultsRequest{BatchId: stalled}).All() {
		if !batchgate.IsReason(err, batchgatev1.ErrorReason_ERROR_REASON_BATCH_NOT_FINISHED) {
			t.Error(err)
		}
	}
}

func TestDeadlinesAndCancellations(t *testing.T) {
	client, ctx := open(t)
	id := submit(t, client, ctx, 4, map[string]string{"sandbox_outcome": "stalled"})
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if err := lastOf(client, short, id); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := client.GetBatch(cancelled, id); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	// A watch that is left ends its call.
	for range client.WatchBatch(ctx, id) {
		break
	}
}

func lastOf(client *batchgate.Client, ctx context.Context, id string) (last error) {
	for _, err := range client.WatchBatch(ctx, id) {
		last = err
	}
	return last
}

func TestNobodyAtTheAddress(t *testing.T) {
	client, err := batchgate.New("127.0.0.1:1", batchgate.WithPatience(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := client.DeleteFile(ctx, "file-a"); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	if err := lastOf(client, ctx, "batch_a"); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}

func TestProvidersAndHealth(t *testing.T) {
	client, ctx := open(t, batchgate.WithProvider("elsewhere"))
	if _, err := client.GetFile(ctx, "file-a"); !batchgate.IsReason(err, batchgatev1.ErrorReason_ERROR_REASON_PROVIDER_UNKNOWN) {
		t.Error(err)
	}
	openai := client.Using(batchgate.WithProvider("openai"), batchgate.WithMetadata("x-request-id", "mine"))
	_, err := openai.GetFile(ctx, "file-none")
	var failed *batchgate.Error
	if !errors.As(err, &failed) || failed.Reason != "PROVIDER_NOT_FOUND" || failed.RequestID != "mine" {
		t.Error(err)
	}
	providers, err := openai.ListProviders(ctx, true)
	if err != nil || len(providers) != 1 || providers[0].Name != "openai" {
		t.Error(providers, err)
	}
	if serving, err := client.Health(ctx, "batchgate.v1.BatchService"); err != nil || !serving {
		t.Error(serving, err)
	}
}

func TestWhatIsNotGivenIsRefusedByTheGatewayAndNotByAPanic(t *testing.T) {
	client, ctx := open(t)
	_, creation := client.CreateBatch(ctx, nil)
	_, retry := client.RetryBatch(ctx, nil)
	_, submission := client.SubmitBatch(ctx, nil, batchgate.Rows())
	_, upload := client.UploadFile(ctx, strings.NewReader(""), nil)
	errs := []error{creation, retry, submission, upload}
	for _, err := range client.Results(ctx, nil).All() {
		errs = append(errs, err)
	}
	for number, err := range errs {
		if status.Code(err) != codes.InvalidArgument {
			t.Error(number, err)
		}
	}
	_, err := client.UploadFile(ctx, strings.NewReader("a"), nil, batchgate.WithChunkBytes(0))
	if err == nil || !strings.Contains(err.Error(), "WithChunkBytes") {
		t.Error(err)
	}
}

func TestAListIsReadAnewEachTime(t *testing.T) {
	client, ctx := open(t)
	for n := range 3 {
		_, err := client.UploadFile(ctx, strings.NewReader("a"), &batchgatev1.UploadFileMetadata{
			Filename: strconv.Itoa(n) + ".txt", Purpose: "user_data",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	files := client.ListFiles(ctx, &batchgatev1.ListFilesRequest{PageSize: 2})
	var read [2][]string
	for number := range read {
		for file, err := range files {
			if err != nil {
				t.Fatal(err)
			}
			if read[number] = append(read[number], file.Id); len(read[number]) == 3 {
				break
			}
		}
	}
	if len(read[0]) != 3 || !slices.Equal(read[0], read[1]) {
		t.Error(read)
	}
}

func TestADownloadThatIsClosedEndsForWhoeverReadsIt(t *testing.T) {
	client, ctx := open(t)
	uploaded, err := client.UploadFile(ctx, bytes.NewReader(make([]byte, 32<<20)),
		&batchgatev1.UploadFileMetadata{
			Filename: "zeros.jsonl", JsonlCheck: batchgatev1.JsonlCheck_JSONL_CHECK_OFF,
		})
	if err != nil {
		t.Fatal(err)
	}
	content := client.DownloadFile(ctx, uploaded.File.Id, 0, 0)
	if _, err := io.ReadFull(content, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		// More than there is: it ends by the close alone.
		for {
			if _, err := content.Read(make([]byte, 1000)); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := content.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := content.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestAWatchEndsWithItsClient(t *testing.T) {
	client, ctx := open(t)
	id := submit(t, client, ctx, 4, map[string]string{"sandbox_outcome": "stalled"})
	watcher, _ := open(t)
	var last error
	for _, err := range watcher.WatchBatch(ctx, id) {
		if last = err; err == nil {
			watcher.Close()
		}
	}
	if status.Code(last) != codes.Canceled {
		t.Error(last)
	}
}

// ended answers each call as gRPC's core does in the moment of a gateway's stop, and the next one well.
type ended struct {
	batchgatev1.UnimplementedBatchServiceServer
	calls atomic.Int32
}

func (e *ended) GetBatch(
	_ context.Context, request *batchgatev1.GetBatchRequest,
) (*batchgatev1.GetBatchResponse, error) {
	if e.calls.Add(1)%2 == 1 {
		return nil, status.Error(codes.Canceled, "CANCELLED")
	}
	return &batchgatev1.GetBatchResponse{Batch: &batchgatev1.Batch{Id: request.BatchId}}, nil
}

func (e *ended) WatchBatch(
	request *batchgatev1.WatchBatchRequest, stream batchgatev1.BatchService_WatchBatchServer,
) error {
	if e.calls.Add(1)%2 == 1 {
		return status.Error(codes.Canceled, "CANCELLED")
	}
	return stream.Send(&batchgatev1.WatchBatchResponse{Batch: &batchgatev1.Batch{Id: request.BatchId}})
}

func TestACallThatCameInTheMomentOfAStopIsMadeAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	t.Cleanup(server.Stop)
	batchgatev1.RegisterBatchServiceServer(server, &ended{})
	go server.Serve(listener)
	client, err := batchgate.New(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if batch, err := client.GetBatch(ctx, "batch_a"); err != nil || batch.Id != "batch_a" {
		t.Error(batch, err)
	}
	if err := lastOf(client, ctx, "batch_a"); err != nil {
		t.Error(err)
	}
}
