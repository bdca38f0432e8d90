package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

// watchMany watches one batch many times at once, each to its end.
func (o operation) watchMany(ctx context.Context) (any, error) {
	var given batchgatev1.WatchBatchRequest
	var many struct{ Count int }
	if err := o.message(&given); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(o.args, &many); err != nil {
		return nil, err
	}
	client := o.client.Using(batchgate.WithProvider(given.Provider))
	failures := make([]error, many.Count)
	var watching sync.WaitGroup
	for number := range failures {
		watching.Add(1)
		go func() {
			defer watching.Done()
			for _, err := range client.WatchBatch(ctx, given.BatchId) {
				failures[number] = err
			}
		}()
	}
	watching.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return answer{"count": many.Count}, nil
}

// digestResults gives the size and digest of each row's body, for those that are too large to print.
func (o operation) digestResults(ctx context.Context) (any, error) {
	var given batchgatev1.StreamBatchResultsRequest
	if err := o.message(&given); err != nil {
		return nil, err
	}
	rows, err := collect(o.client.Results(ctx, &given).All())
	slices.SortFunc(rows, func(a, b *batchgatev1.BatchResult) int {
		return strings.Compare(a.CustomId, b.CustomId)
	})
	shown := []any{}
	for _, row := range rows {
		body := row.GetResponse().GetBodyJson()
		digest := sha256.Sum256([]byte(body))
		shown = append(shown, answer{
			"custom_id": row.CustomId, "size_bytes": len(body), "sha256": hex.EncodeToString(digest[:]),
		})
	}
	return answer{"rows": shown}, err
}
