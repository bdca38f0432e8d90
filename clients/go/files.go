package batchgate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	batchgatev1 "github.com/batchgate/batchgate/clients/go/batchgate/v1"
)

const chunkBytes = 256 << 10

// UploadOption sets something of an upload that is no part of its metadata.
type UploadOption func(*upload)

type upload struct {
	chunkBytes int
	progress   func(sent int64)
}

// WithChunkBytes sets the size of the chunks; the default, 256 KiB, is a good one.
func WithChunkBytes(size int) UploadOption { return func(u *upload) { u.chunkBytes = size } }

// WithProgress has a function told how many bytes are on their way.
func WithProgress(told func(sent int64)) UploadOption { return func(u *upload) { u.progress = told } }

// UploadFile uploads what it reads, while it reads it. Where metadata has no purpose it is "batch";
// the size of a file, or of a reader in memory, goes along and is verified. Nothing is created by an
// upload that fails, and it is never repeated by itself. What reading fails with is returned as it is.
func (c *Client) UploadFile(
	ctx context.Context, content io.Reader, metadata *batchgatev1.UploadFileMetadata, options ...UploadOption,
) (*batchgatev1.UploadFileResponse, error) {
	set := upload{chunkBytes: chunkBytes}
	for _, option := range options {
		option(&set)
	}
	if set.chunkBytes < 1 {
		return nil, fmt.Errorf("batchgate: chunks of %d bytes: give WithChunkBytes at least 1", set.chunkBytes)
	}
	about := copyOf(metadata)
	about.Provider = c.orDefault(about.Provider)
	if about.Purpose == "" {
		about.Purpose = "batch"
	}
	if size, known := sizeOf(content); known && about.SizeBytes == nil {
		about.SizeBytes = &size
	}
	return sent(ctx, c, set.requests(about, content), c.Files.UploadFile)
}

// UploadPath uploads the file at a path, under its own name where metadata has none.
func (c *Client) UploadPath(
	ctx context.Context, path string, metadata *batchgatev1.UploadFileMetadata, options ...UploadOption,
) (*batchgatev1.UploadFileResponse, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	about := copyOf(metadata)
	if about.Filename == "" {
		about.Filename = filepath.Base(path)
	}
	return c.UploadFile(ctx, file, about, options...)
}

func sizeOf(content io.Reader) (int64, bool) {
	switch reader := content.(type) {
	case *bytes.Reader:
		return int64(reader.Len()), true
	case *bytes.Buffer:
		return int64(reader.Len()), true
	case *strings.Reader:
		return int64(reader.Len()), true
	case *os.File:
		found, err := reader.Stat()
		if err != nil || found.Mode()&fs.ModeType != 0 {
			return 0, false
		}
		position, err := reader.Seek(0, io.SeekCurrent)
		return max(found.Size()-position, 0), err == nil
	default:
		return 0, false
	}
}

func (u upload) requests(
	metadata *batchgatev1.UploadFileMetadata, content io.Reader,
) iter.Seq2[*batchgatev1.UploadFileRequest, error] {
	return func(yield func(*batchgatev1.UploadFileRequest, error) bool) {
		about := &batchgatev1.UploadFileRequest_Metadata{Metadata: metadata}
		if !yield(&batchgatev1.UploadFileRequest{Payload: about}, nil) {
			return
		}
		var total int64
		chunk := make([]byte, u.chunkBytes)
		for {
			size, err := io.ReadFull(content, chunk)
			ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if err != nil && !ended {
				yield(nil, err)
				return
			}
			// An empty file is one empty chunk.
			if size > 0 || total == 0 {
				piece := &batchgatev1.UploadFileRequest_Chunk{Chunk: chunk[:size]}
				if !yield(&batchgatev1.UploadFileRequest{Payload: piece}, nil) {
					return
				}
			}
			total += int64(size)
			if u.progress != nil && size > 0 {
				u.progress(total)
			}
			if ended {
				return
			}
		}
	}
}

// GetFile gets what the provider says of a file.
func (c *Client) GetFile(ctx context.Context, fileID string) (*batchgatev1.File, error) {
	request := &batchgatev1.GetFileRequest{Provider: c.settings.provider, FileId: fileID}
	response, err := read(ctx, c, c.settings.timeout, request, c.Files.GetFile)
	return response.GetFile(), err
}

// ListFiles gives all files that a request asks for, page after page; nil asks for all. It ends with
// the first error.
func (c *Client) ListFiles(
	ctx context.Context, request *batchgatev1.ListFilesRequest,
) iter.Seq2[*batchgatev1.File, error] {
	asked := copyOf(request)
	asked.Provider = c.orDefault(asked.Provider)
	return pages(asked.PageToken, func(token string) ([]*batchgatev1.File, string, error) {
		wanted := copyOf(asked)
		wanted.PageToken = token
		page, err := read(ctx, c, c.settings.timeout, wanted, c.Files.ListFiles)
		return page.GetFiles(), page.GetNextPageToken(), err
	})
}

// pages gives the items of all pages from a token on; each time that it is ranged over, from there.
func pages[Item any](
	first string, page func(token string) ([]Item, string, error),
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for token := first; ; {
			items, next, err := page(token)
			if err != nil {
				var none Item
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if token = next; token == "" {
				return
			}
		}
	}
}

// DeleteFile deletes a file.
func (c *Client) DeleteFile(ctx context.Context, fileID string) (*batchgatev1.DeleteFileResponse, error) {
	request := &batchgatev1.DeleteFileRequest{Provider: c.settings.provider, FileId: fileID}
	return once(ctx, c, c.settings.timeout, request, c.Files.DeleteFile)
}

// DownloadFile reads a file's content from an offset on, at most limit bytes (0: all). Where the
// gateway goes away in the middle, it goes on from there once one is back. It is to be closed, which
// also ends a Read that waits.
func (c *Client) DownloadFile(ctx context.Context, fileID string, offset, limit int64) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	position, end := offset, offset+limit
	begin := func(ctx context.Context) (grpc.ServerStreamingClient[batchgatev1.DownloadFileResponse], error) {
		if limit > 0 && position >= end {
			return nil, nil
		}
		request := &batchgatev1.DownloadFileRequest{
			Provider: c.settings.provider, FileId: fileID, ReadOffset: position,
		}
		if limit > 0 {
			request.ReadLimit = end - position
		}
		return c.Files.DownloadFile(ctx, request)
	}
	next, stop := iter.Pull2(received(ctx, c, begin))
	return &content{cancel: cancel, stop: stop, next: func() ([]byte, error) {
		piece, err, ok := next()
		if !ok {
			return nil, io.EOF
		}
		position += int64(len(piece.GetChunk()))
		return piece.GetChunk(), err
	}}
}

// content reads pieces as one.
type content struct {
	cancel context.CancelFunc
	closed atomic.Bool
	// For next and stop, which are not for two goroutines at once.
	pulling sync.Mutex
	next    func() ([]byte, error)
	stop    func()
	rest    []byte
	err     error
}

func (c *content) fill() error {
	c.pulling.Lock()
	defer c.pulling.Unlock()
	for len(c.rest) == 0 && c.err == nil && !c.closed.Load() {
		c.rest, c.err = c.next()
	}
	if c.closed.Load() {
		return os.ErrClosed
	}
	if len(c.rest) > 0 {
		return nil
	}
	return c.err
}

func (c *content) Read(into []byte) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	if err := c.fill(); err != nil {
		return 0, err
	}
	size := copy(into, c.rest)
	c.rest = c.rest[size:]
	return size, nil
}

// WriteTo spares a copy of each piece.
func (c *content) WriteTo(target io.Writer) (int64, error) {
	var total int64
	for {
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return total, err
		}
		size, err := target.Write(c.rest)
		total += int64(size)
		c.rest = c.rest[size:]
		if err != nil {
			return total, err
		}
	}
}

func (c *content) Close() error {
	c.closed.Store(true)
	c.cancel()
	c.pulling.Lock()
	defer c.pulling.Unlock()
	c.stop()
	return nil
}
