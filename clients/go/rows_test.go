package batchgate_test

import (
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

type message = batchgatev1.StreamBatchResultsResponse

// cut streams messages, and breaks off where there is none; each call takes the next ones.
type cut struct {
	batchgatev1.UnimplementedBatchServiceServer
	calls  [][]*message
	tokens []string
}

func (c *cut) StreamBatchResults(
	request *batchgatev1.StreamBatchResultsRequest, stream batchgatev1.BatchService_StreamBatchResultsServer,
) error {
	messages := c.calls[len(c.tokens)]
	c.tokens = append(c.tokens, request.ResumeToken)
	for _, one := range messages {
		if one == nil {
			return refusal(codes.Unavailable, "SERVER_DRAINING", never)
		}
		if err := stream.Send(one); err != nil {
			return err
		}
	}
	return nil
}

// part is a row of which more follows if its text ends with "~".
func part(id string, line int64, text string) *batchgatev1.BatchResult {
	body, continues := strings.CutSuffix(text, "~")
	response := &batchgatev1.BatchResultResponse{StatusCode: 200, BodyJson: body}
	return &batchgatev1.BatchResult{
		CustomId: id, Line: line, BodyContinues: continues, Succeeded: true,
		Outcome: &batchgatev1.BatchResult_Response{Response: response},
	}
}

func rowsOf(token string, rows ...*batchgatev1.BatchResult) *message {
	return &message{Results: rows, ResumeToken: token}
}

func TestARowThatIsCutOverMessagesIsOneRow(t *testing.T) {
	gateway := &cut{calls: [][]*message{{
		rowsOf("", part("a", 1, "1"), part("b", 2, "é~")),
		rowsOf("", part("b", 2, "行~")),
		rowsOf("after b", part("b", 2, "🚀")),
		rowsOf("after b", part("c", 3, "3"), part("d", 4, "4~")),
		// It breaks off: what was whole does not come again, the rest does.
		nil,
	}, {
		rowsOf("after b", part("c", 3, "3"), part("d", 4, "4~")),
		rowsOf("after b", part("d", 4, "5~")),
		nil,
	}, {
		rowsOf("after b", part("c", 3, "3"), part("d", 4, "45~")),
		rowsOf("after d", part("d", 4, "6")),
		rowsOf("after e", part("e", 5, "7")),
	}}}
	client, ctx := served(t, gateway)
	results := client.Results(ctx, &batchgatev1.StreamBatchResultsRequest{BatchId: "batch_a"})
	var seen, tokens []string
	for row, err := range results.All() {
		if err != nil {
			t.Fatal(err)
		}
		if row.BodyContinues {
			t.Error(row)
		}
		seen = append(seen, row.CustomId+row.GetResponse().BodyJson)
		tokens = append(tokens, results.ResumeToken())
	}
	if got := strings.Join(seen, " "); got != "a1 bé行🚀 c3 d456 e7" {
		t.Error(got)
	}
	if got := strings.Join(tokens, ","); got != ",after b,after b,after d,after e" {
		t.Error(got)
	}
	if got := strings.Join(gateway.tokens, ","); got != ",after b,after b" {
		t.Error(got)
	}
}

func TestALargeRowIsJoinedAndOneWithoutBoundIsNot(t *testing.T) {
	const size, count = 1 << 20, 60
	long := strings.Repeat("x", size)
	var messages []*message
	for n := range count {
		messages = append(messages, rowsOf("", part("a", 1, strconv.Itoa(n%10)+long[1:]+"~")))
	}
	whole := append(messages, rowsOf("end", part("a", 1, "!")))
	client, ctx := served(t, &cut{calls: [][]*message{whole}})
	for row, err := range client.Results(ctx, &batchgatev1.StreamBatchResultsRequest{}).All() {
		if err != nil {
			t.Fatal(err)
		}
		body := row.GetResponse().BodyJson
		if len(body) != size*count+1 || body[size*11] != '1' || body[size*count] != '!' {
			t.Error(len(body))
		}
	}
	without := append(append(messages, messages...), rowsOf("end", part("a", 1, "!")))
	for name, given := range map[string][]*message{
		"over 64 MiB": without, "next part": append(messages[:1:1], rowsOf("", part("b", 2, "!"))),
		"last part": messages[:1],
	} {
		client, ctx := served(t, &cut{calls: [][]*message{given}})
		var last error
		for _, err := range client.Results(ctx, &batchgatev1.StreamBatchResultsRequest{}).All() {
			last = err
		}
		if status.Code(last) != codes.DataLoss || !strings.Contains(last.Error(), name) {
			t.Error(name, last)
		}
	}
}
