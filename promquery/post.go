package promquery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Post sends a body to a path below the server's address, such as /api/v1/read, and returns an answer of status 2xx,
// whose body is the caller's to close. Everything else is an error of the same kind as those of queries, and so is
// what goes wrong in reading the body.
func (h *HTTP) Post(ctx context.Context, path string, header http.Header, content []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.inner.URL(path, nil).String(), bytes.NewReader(content))
	if err != nil {
		return nil, h.clean(ctx, fmt.Errorf("asking %s: %w", h.address, errors.Unwrap(err)))
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := h.inner.http.Do(req)
	if err != nil {
		return nil, h.clean(ctx, h.inner.transportError(ctx, err, false))
	}
	if resp.StatusCode/100 == 2 {
		resp.Body = &body{resp.Body, h, ctx}
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // what it says is said below
	const most = 64 << 10
	said, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil && len(said) == 0 {
		return nil, h.clean(ctx, h.inner.transportError(ctx, err, true))
	}
	return nil, h.clean(ctx, h.inner.refusal(resp, said))
}

// Refuse is the error of an answer that is no result, with what was wrong with it and what the server said in it, if
// anything. other says that it is no answer of this kind at all, or none that this version
// knows; else it is one that was not whole.
func (h *HTTP) Refuse(wrong string, said []byte, other bool) error {
	text := fmt.Sprintf("%s %s", h.address, wrong)
	if s := excerpt(string(said)); s != "" {
		text += ": " + s
	}
	return &BrokenError{Text: h.secrets.hide(text), Began: true, Other: other}
}

// body is an answer's, whose errors say what to do.
type body struct {
	io.ReadCloser
	from *HTTP
	ctx  context.Context
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.from.clean(b.ctx, b.from.inner.transportError(b.ctx, err, true))
	}
	return n, err
}
