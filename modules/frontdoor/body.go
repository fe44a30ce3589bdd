package frontdoor

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"

	"ejustice.dev/operator/modules/kit"
)

const (
	// maxReplay is the largest body that is kept to be sent again, and maxReplays
	// what all of them may take together; more is streamed once.
	maxReplay  = 1 << 20
	maxReplays = 16 << 20
)

// clientBody remembers whether it was the client's side that failed. What it
// failed with is not for the log: the text holds the client's address.
type clientBody struct {
	io.ReadCloser
	failed, closed atomic.Bool
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && !b.closed.Load() {
		b.failed.Store(true)
	}
	return n, err
}

func (b *clientBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

func incomplete() error {
	return kit.NewProblem(http.StatusBadRequest, "incomplete", "The request is incomplete",
		"It ended or stood still before its end. Send it again.")
}

// keepBody reads a small body whole when the client has said by an
// Idempotency-Key that the request may be sent again. Every other body goes
// through as it comes.
func (d *Door) keepBody(r *http.Request) (release func(), err error) {
	size := r.ContentLength
	if r.Header.Get("Idempotency-Key") == "" || size <= 0 || size > maxReplay || !d.replays.TryAcquire(size) {
		return func() {}, nil
	}
	release = func() { d.replays.Release(size) }
	body := make([]byte, size)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		release()
		return nil, incomplete()
	}
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.GetBody = again
	r.Body, err = again()
	return release, err
}
