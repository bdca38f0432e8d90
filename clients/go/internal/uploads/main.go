// Uploads a file some times, and prints the seconds that each took: ADDRESS FILE TIMES.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"time"

	batchgate "github.com/batchgate/batchgate/clients/go"
	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

func main() {
	client, err := batchgate.New(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	times, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	seconds := make([]float64, times)
	for n := range seconds {
		began := time.Now()
		about := &batchgatev1.UploadFileMetadata{Purpose: "user_data"}
		if _, err := client.UploadPath(context.Background(), os.Args[2], about); err != nil {
			log.Fatal(err)
		}
		seconds[n] = time.Since(began).Seconds()
	}
	if err := json.NewEncoder(os.Stdout).Encode(seconds); err != nil {
		log.Fatal(err)
	}
}
