package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gopherlens/gopherlens/plots"
)

var exportTypes = map[string]string{"json": "application/json", "csv": "text/csv; charset=utf-8", "parquet": "application/octet-stream", "npz": "application/octet-stream", "html": "text/html; charset=utf-8",
	"png": "image/png", "svg": "image/svg+xml"}

// maxPicture bounds the columns of a picture: beyond it nothing could be read, and drawing takes long.
const maxPicture = 256

// exported writes a part of a conversation as a file.
func (s *Server) exported(ctx context.Context, t talk, in *exportInput) (body []byte, contentType string, err error) {
	if in.Format == "safetensors" || in.Format == "npy" {
		return residualFile(ctx, t, in.From, in.To, in.Format)
	}
	picture := in.Format == "png" || in.Format == "svg"
	if picture && in.To-in.From > maxPicture {
		return nil, "", errorf(Invalid, "from %d to %d: a picture shows at most %d positions", in.From, in.To, maxPicture)
	}
	g, err := s.lens(ctx, t, in.From, in.To, in.Variant, in.Rows, in.Top, false)
	if err != nil {
		return nil, "", err
	}
	contentType = exportTypes[in.Format]
	if picture {
		scales := map[string]plots.Scale{"probability": plots.Probability, "entropy": plots.Entropy, "kl": plots.KL, "rank": plots.Rank}
		fig, err := g.Heatmap(scales[in.Statistic])
		if err != nil {
			return nil, "", err
		}
		draw := fig.PNG
		if in.Format == "svg" {
			draw = fig.SVG
		}
		body, err = draw()
		return body, contentType, err
	}
	write := map[string]func(io.Writer) error{"csv": g.CSV, "parquet": g.Parquet, "npz": g.NPZ, "html": g.HTML, "json": func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(g)
	}}[in.Format]
	var b bytes.Buffer
	err = write(&b)
	return b.Bytes(), contentType, err
}

type exportInput struct {
	ConversationID string `path:"conversation_id" maxLength:"100"`
	Format         string `query:"format" default:"json" enum:"json,csv,parquet,npz,html,png,svg,safetensors,npy" doc:"the lens as JSON, CSV, Parquet, NumPy arrays or a page; a picture; the residual rows"`
	Variant        string `query:"variant" default:"normed" enum:"normed,raw,scaled,tuned,jacobian"`
	Rows           string `query:"rows" default:"stored" enum:"stored,fresh"`
	Statistic      string `query:"statistic" default:"probability" enum:"probability,entropy,kl,rank" doc:"what a picture is coloured by"`
	Top            int    `query:"top" default:"10" minimum:"1" maximum:"1000"`
	From           int    `query:"from" minimum:"0" maximum:"1000000000"`
	To             int    `query:"to" minimum:"0" maximum:"1000000000"`
}

func (s *Server) export(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	t, err := s.find(ctx, in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	if in.To == 0 {
		in.To = t.Len()
	}
	body, contentType, err := s.exported(ctx, t, in)
	if err != nil {
		return nil, fail(err)
	}
	return file(contentType, t.ID()+"."+in.Format, body), nil
}
