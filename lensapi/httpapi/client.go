package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Client calls a Server. What the server refuses is an *Error. It is safe for concurrent use.
type Client struct {
	Base  string       // "http://127.0.0.1:8808"
	Token string       // if the server demands one
	HTTP  *http.Client // nil: http.DefaultClient
}

// Chat says something and waits for the answer.
func (c *Client) Chat(ctx context.Context, req ChatRequest) (*ChatReply, error) {
	return call[ChatReply](ctx, c, http.MethodPost, "/api/chat/with-activations", nil, req)
}

// ChatEach is Chat that gives each event as it comes; queued, start, token and layer have the types Queued, ChatStart, Token and LayerEvent. An error of each
// ends the answer and is returned as it is.
func (c *Client) ChatEach(ctx context.Context, req ChatRequest, each func(Event) error) (*ChatDone, error) {
	return follow[ChatDone](ctx, c, "/api/chat/with-activations", req, each)
}

// Click is a token and its layers; position -1 is the last.
func (c *Client) Click(ctx context.Context, id string, position int, q LensQuery) (*Click, error) {
	return call[Click](ctx, c, http.MethodGet, fmt.Sprintf("/api/activations/%s/%d", url.PathEscape(id), position), q.values(), nil)
}

// Clicks are those at positions from to to-1, up to 64.
func (c *Client) Clicks(ctx context.Context, id string, from, to int, q LensQuery) (*ClickRange, error) {
	v := q.values()
	v.Set("from", strconv.Itoa(from))
	v.Set("to", strconv.Itoa(to))
	return call[ClickRange](ctx, c, http.MethodGet, "/api/activations/"+url.PathEscape(id), v, nil)
}

// Conversations lists those of a model ("" is the default one), newest first.
func (c *Client) Conversations(ctx context.Context, model string, limit, offset int) (*ConversationList, error) {
	return call[ConversationList](ctx, c, http.MethodGet, "/api/conversations", url.Values{"model": {model}, "limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}, nil)
}

// Conversation is one with all its tokens.
func (c *Client) Conversation(ctx context.Context, id string) (*Conversation, error) {
	return call[Conversation](ctx, c, http.MethodGet, "/api/conversations/"+url.PathEscape(id), nil, nil)
}

// Delete deletes a conversation.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := call[Deleted](ctx, c, http.MethodDelete, "/api/cache/"+url.PathEscape(id), nil, nil)
	return err
}

// Status is how the cache and the server fare.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/api/cache/status", nil, nil)
}

// Models lists those that are served.
func (c *Client) Models(ctx context.Context) (*ModelList, error) {
	return call[ModelList](ctx, c, http.MethodGet, "/api/models", nil, nil)
}

// Model is one of them, which is loaded.
func (c *Client) Model(ctx context.Context, name string) (*ModelInfo, error) {
	return call[ModelInfo](ctx, c, http.MethodGet, "/api/models/"+url.PathEscape(name), nil, nil)
}

// Heatmap is a statistic of every cell, through a variant of the lens ("" is normed).
func (c *Client) Heatmap(ctx context.Context, id, statistic, variant string) (*Heatmap, error) {
	return call[Heatmap](ctx, c, http.MethodGet, "/api/heatmap/"+url.PathEscape(id), set("statistic", statistic, "variant", variant), nil)
}

// Attention is where the heads of a layer look.
func (c *Client) Attention(ctx context.Context, id string, layer int, weighted bool) (*AttentionReply, error) {
	return call[AttentionReply](ctx, c, http.MethodGet, fmt.Sprintf("/api/attention/%s/%d", url.PathEscape(id), layer), url.Values{"weighted": {strconv.FormatBool(weighted)}}, nil)
}

// Rollout is attention over all layers.
func (c *Client) Rollout(ctx context.Context, id string) (*AttentionReply, error) {
	return call[AttentionReply](ctx, c, http.MethodGet, "/api/attention/"+url.PathEscape(id)+"/rollout", nil, nil)
}

// Search looks through the cache.
func (c *Client) Search(ctx context.Context, req SearchRequest) (*SearchReply, error) {
	return call[SearchReply](ctx, c, http.MethodPost, "/api/search", nil, req)
}

// Track follows tokens through all rows.
func (c *Client) Track(ctx context.Context, req TrackRequest) (*TrackReply, error) {
	return call[TrackReply](ctx, c, http.MethodPost, "/api/track", nil, req)
}

// Contrast compares two conversations or prompts.
func (c *Client) Contrast(ctx context.Context, req ContrastRequest) (*ContrastReply, error) {
	return call[ContrastReply](ctx, c, http.MethodPost, "/api/contrast", nil, req)
}

// Patch sweeps, telling each how far it is; each may be nil.
func (c *Client) Patch(ctx context.Context, req PatchRequest, each func(PatchProgress)) (*PatchReply, error) {
	return follow[PatchReply](ctx, c, "/api/patch", req, func(e Event) error {
		var p PatchProgress
		if e.Event != "progress" || each == nil {
			return nil
		}
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return err
		}
		each(p)
		return nil
	})
}

// Export writes a conversation's lens or rows as a file to w.
func (c *Client) Export(ctx context.Context, id, format string, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, "/api/export/"+url.PathEscape(id), url.Values{"format": {format}}, nil, "*/*")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

func (q LensQuery) values() url.Values {
	v := set("layers", q.Layers, "variant", q.Variant, "rows", q.Rows)
	if q.Top != 0 {
		v.Set("top", strconv.Itoa(q.Top))
	}
	return v
}

// set are the pairs that are not empty.
func set(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// send returns a success; what is none is an *Error.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any, accept string) (*http.Response, error) {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		rd = bytes.NewReader(b)
	}
	at := strings.TrimSuffix(c.Base, "/") + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, at, rd)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	resp, err := h.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var e Error
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&e); err != nil || e.Detail.Message == "" {
		return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return nil, &e
}

// call asks for one JSON value.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, body any) (*T, error) {
	resp, err := c.send(ctx, method, path, query, body, "application/json")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var v T
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return &v, nil
}

// follow reads a stream up to its done event, which it returns.
func follow[T any](ctx context.Context, c *Client, path string, body any, each func(Event) error) (*T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whoever reads no more lets the server stop
	resp, err := c.send(ctx, http.MethodPost, path, nil, body, "application/x-ndjson")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var e Event
		if err := d.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("POST %s: the stream broke off: %w", path, err)
		}
		switch e.Event {
		case "done":
			var v T
			err := json.Unmarshal(e.Data, &v)
			return &v, err
		case "error":
			var failed Error
			if err := json.Unmarshal(e.Data, &failed); err != nil {
				return nil, err
			}
			return nil, &failed
		}
		if each != nil {
			if err := each(e); err != nil {
				return nil, err
			}
		}
	}
}
