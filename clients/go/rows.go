package batchgate

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

// maxBodyBytes is more than any row's body has: the contract ends rows at 64 MiB.
const maxBodyBytes = 65 << 20

// rowJoiner makes whole rows of those that are cut over several messages, and knows where to resume: at
// the token of the last message that ended with a whole row, past the rows that came since.
type rowJoiner struct {
	token string
	// Whole rows since the token; those of them that are to come again after a restart.
	since, skip int
	parts       []*batchgatev1.BatchResult
	bytes       int
}

// restart is for a call that resumes at the token: a partial row comes anew.
func (j *rowJoiner) restart() {
	j.parts, j.bytes, j.skip = nil, 0, j.since
}

// add takes the next message, and leaves in it the rows that are whole now and not given out before.
func (j *rowJoiner) add(message *batchgatev1.StreamBatchResultsResponse) error {
	rows := message.Results
	whole := make([]*batchgatev1.BatchResult, 0, len(rows))
	for _, row := range rows {
		if err := j.follows(row); err != nil {
			return err
		}
		if row.BodyContinues {
			j.parts = append(j.parts, row)
			continue
		}
		row = j.joined(row)
		if j.skip > 0 {
			j.skip--
			continue
		}
		j.since++
		whole = append(whole, row)
	}
	if len(j.parts) == 0 && message.ResumeToken != "" {
		j.token, j.since, j.skip = message.ResumeToken, 0, 0
	}
	message.Results, message.ResumeToken = whole, j.token
	return nil
}

// follows fails where a part is not of the row that is being joined.
func (j *rowJoiner) follows(row *batchgatev1.BatchResult) error {
	j.bytes += len(row.GetResponse().GetBodyJson())
	if len(j.parts) == 0 {
		j.bytes = len(row.GetResponse().GetBodyJson())
		return nil
	}
	if first := j.parts[0]; row.CustomId != first.CustomId || row.Line != first.Line {
		return brokenRow(first, "its next part is missing")
	}
	if j.bytes > maxBodyBytes {
		return brokenRow(row, "its body is over 64 MiB")
	}
	return nil
}

func (j *rowJoiner) joined(last *batchgatev1.BatchResult) *batchgatev1.BatchResult {
	if len(j.parts) == 0 {
		return last
	}
	var body strings.Builder
	body.Grow(j.bytes)
	for _, part := range append(j.parts, last) {
		body.WriteString(part.GetResponse().GetBodyJson())
	}
	last.GetResponse().BodyJson = body.String()
	j.parts, j.bytes = nil, 0
	return last
}

// end fails where a row lacks its last part.
func (j *rowJoiner) end() error {
	if len(j.parts) > 0 {
		return brokenRow(j.parts[0], "its last part is missing")
	}
	return nil
}

func brokenRow(row *batchgatev1.BatchResult, what string) error {
	message := fmt.Sprintf("row %q, line %d: %s", row.CustomId, row.Line, what)
	told := status.New(codes.DataLoss, message)
	return &Error{Code: codes.DataLoss, Message: message, status: told}
}
