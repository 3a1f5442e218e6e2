package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Write writes the notebook as Jupyter does: one blank of indentation per level, text as lists of lines, a newline at the end. The same
// notebook always gives the same bytes. From nbformat 4.5 on cells need ids: one that is missing, not allowed or taken gets "cell-" and the
// cell's place.
func (nb *Notebook) Write(w io.Writer) error {
	cells, err := nb.appendCells(nil)
	if err != nil {
		return err
	}
	o := nb.fields.clone()
	o.set("cells", cells)
	o.set("metadata", nb.Metadata.append(nil))
	o.set("nbformat", json.RawMessage("4"))
	o.set("nbformat_minor", strconv.AppendInt(nil, int64(nb.Minor), 10))
	var buf bytes.Buffer
	if err := json.Indent(&buf, o.append(nil), "", " "); err != nil {
		return fmt.Errorf("write notebook: %w", err)
	}
	buf.WriteByte('\n')
	if _, err := w.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("write notebook: %w", err)
	}
	return nil
}

func (nb *Notebook) appendCells(b []byte) ([]byte, error) {
	ids := nb.cellIDs()
	b = append(b, '[')
	for i, c := range nb.Cells {
		if i > 0 {
			b = append(b, ',')
		}
		o := c.fields.clone()
		o.set("cell_type", appendString(nil, string(c.Type)))
		o.set("source", appendLines(nil, c.Source))
		o.set("metadata", c.Metadata.append(nil))
		if ids[i] != "" {
			o.set("id", appendString(nil, ids[i]))
		}
		switch c.Type {
		case Code:
			o.set("execution_count", count(c.ExecutionCount))
			outs := []byte{'['}
			for j := range c.Outputs {
				if j > 0 {
					outs = append(outs, ',')
				}
				var err error
				if outs, err = c.Outputs[j].append(outs); err != nil {
					return nil, fmt.Errorf("write notebook: cells[%d].outputs[%d]: %w", i, j, err)
				}
			}
			o.set("outputs", append(outs, ']'))
		case Markdown, Raw:
		default:
			return nil, fmt.Errorf("write notebook: cells[%d] is of type %q: allowed are code, markdown and raw", i, c.Type)
		}
		b = o.append(b)
	}
	return append(b, ']'), nil
}

// cellIDs returns the ids to write. Below 4.5 only those that are there.
func (nb *Notebook) cellIDs() []string {
	ids := make([]string, len(nb.Cells))
	taken := make(map[string]bool, len(nb.Cells))
	for i, c := range nb.Cells {
		if nb.Minor < 5 {
			ids[i] = c.ID
		} else if validID(c.ID) && !taken[c.ID] {
			ids[i] = c.ID
			taken[c.ID] = true
		}
	}
	if nb.Minor < 5 {
		return ids
	}
	for i := range ids {
		for n := i + 1; ids[i] == ""; n += len(ids) {
			if id := "cell-" + strconv.Itoa(n); !taken[id] {
				ids[i] = id
				taken[id] = true
			}
		}
	}
	return ids
}

func validID(id string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return id != "" && len(id) <= 64 && strings.Trim(id, allowed) == ""
}

func count(n int) json.RawMessage {
	if n <= 0 {
		return json.RawMessage("null")
	}
	return strconv.AppendInt(nil, int64(n), 10)
}

func (out *Output) append(b []byte) ([]byte, error) {
	o := out.fields.clone()
	o.set("output_type", appendString(nil, string(out.Type)))
	switch out.Type {
	case ClearOutput, UpdateDisplayData:
		return nil, fmt.Errorf("a %s cannot be written: Run applies it", out.Type)
	case Stream:
		o.set("name", appendString(nil, out.Name))
		o.set("text", appendLines(nil, out.Text))
	case DisplayData, ExecuteResult:
		data := out.Data.clone()
		for mime, v := range data.vals {
			if strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml" {
				if s, err := unquote(v); err == nil {
					data.vals[mime] = appendLines(nil, s)
				}
			}
		}
		o.set("data", data.append(nil))
		o.set("metadata", out.Metadata.append(nil))
		if out.Type == ExecuteResult {
			o.set("execution_count", count(out.ExecutionCount))
		}
	case Error:
		o.set("ename", appendString(nil, out.ErrName))
		o.set("evalue", appendString(nil, out.ErrValue))
		tb := []byte{'['}
		for i, line := range out.Traceback {
			if i > 0 {
				tb = append(tb, ',')
			}
			tb = appendString(tb, line)
		}
		o.set("traceback", append(tb, ']'))
	}
	return o.append(b), nil
}
