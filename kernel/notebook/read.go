package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxSize is the largest file Read accepts, in bytes.
const MaxSize = 512 << 20

// Read reads a notebook of nbformat 4. A file that is larger than MaxSize, no notebook, or of another major version is refused with an
// error that says so.
func Read(r io.Reader) (*Notebook, error) { return read(r, MaxSize) }

func read(r io.Reader, limit int64) (*Notebook, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read notebook: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("notebook is larger than the %d MiB allowed", limit>>20)
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	if len(data) == 0 {
		return nil, errors.New("notebook is empty: it must be a JSON object with nbformat, metadata and cells")
	}
	if !json.Valid(data) {
		return nil, syntaxError(data)
	}
	top, err := parseObject(data)
	if err != nil {
		return nil, errors.New("not a notebook: it must be a JSON object with nbformat, metadata and cells")
	}
	nb := &Notebook{}
	if nb.Minor, err = version(&top); err != nil {
		return nil, err
	}
	if nb.Metadata, err = takeObject(&top, "metadata"); err != nil {
		return nil, err
	}
	cells, ok := top.take("cells")
	if !ok {
		return nil, errors.New("notebook has no cells member: it must be a list of cells")
	}
	outputs := 0
	err = eachElement(cells, func(i int, raw json.RawMessage) error {
		if i >= maxItems {
			return fmt.Errorf("more than %d cells", maxItems)
		}
		c, err := readCell(raw, &outputs)
		if err != nil {
			return fmt.Errorf("cells[%d]%w", i, err)
		}
		nb.Cells = append(nb.Cells, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("notebook: %w", err)
	}
	nb.fields = top
	return nb, nil
}

func syntaxError(data []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	var syn *json.SyntaxError
	if errors.As(err, &syn) {
		line := 1 + bytes.Count(data[:min(syn.Offset, int64(len(data)))], []byte("\n"))
		return fmt.Errorf("notebook is not valid JSON, line %d: %w", line, err)
	}
	return fmt.Errorf("notebook is not valid JSON: %w", err)
}

func version(top *Object) (minor int, err error) {
	raw, ok := top.take("nbformat")
	if !ok {
		return 0, errors.New("not a notebook: it has no nbformat number")
	}
	var major int
	if json.Unmarshal(raw, &major) != nil {
		return 0, fmt.Errorf("not a notebook: nbformat must be the number 4, not %s", short(raw))
	}
	if major != 4 {
		hint := ""
		if major > 0 && major < 4 {
			hint = " (jupyter nbconvert --to notebook converts older ones)"
		}
		return 0, fmt.Errorf("notebook is of nbformat %d: only nbformat 4 can be read%s", major, hint)
	}
	if raw, ok = top.take("nbformat_minor"); ok && (json.Unmarshal(raw, &minor) != nil || minor < 0) {
		return 0, fmt.Errorf("nbformat_minor must be a number from 0, not %s", short(raw))
	}
	return minor, nil
}

func takeObject(o *Object, key string) (Object, error) {
	raw, ok := o.take(key)
	if !ok || string(raw) == "null" {
		return Object{}, nil
	}
	v, err := parseObject(raw)
	if err != nil {
		return v, fmt.Errorf(".%s: %w", key, err)
	}
	return v, nil
}

func takeText(o *Object, key string) (string, error) {
	raw, ok := o.take(key)
	if !ok {
		return "", fmt.Errorf(" has no %s", key)
	}
	s, err := joinLines(raw)
	if err != nil {
		return "", fmt.Errorf(".%s: %w", key, err)
	}
	return s, nil
}

func takeCount(o *Object) (int, error) {
	raw, ok := o.take("execution_count")
	if !ok || string(raw) == "null" {
		return 0, nil
	}
	var n int
	if json.Unmarshal(raw, &n) != nil || n < 0 {
		return 0, fmt.Errorf(".execution_count must be null or a number from 0, not %s", short(raw))
	}
	return n, nil
}

// readCell reads a cell. Its errors start with what follows the cell's place: ".source: ..." or " has no source".
func readCell(raw json.RawMessage, outputs *int) (*Cell, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	c := &Cell{}
	t, err := takeText(&o, "cell_type")
	if err != nil {
		return nil, err
	}
	switch c.Type = CellType(t); c.Type {
	case Code, Markdown, Raw:
	default:
		return nil, fmt.Errorf(".cell_type is %s: allowed are code, markdown and raw", short([]byte(t)))
	}
	if c.Source, err = takeText(&o, "source"); err != nil {
		return nil, err
	}
	if c.Metadata, err = takeObject(&o, "metadata"); err != nil {
		return nil, err
	}
	if _, ok := o.Raw("id"); ok {
		if c.ID, err = takeText(&o, "id"); err != nil {
			return nil, err
		}
	}
	if c.Type == Code {
		if c.ExecutionCount, err = takeCount(&o); err != nil {
			return nil, err
		}
		if list, ok := o.take("outputs"); ok {
			if c.Outputs, err = readOutputs(list, outputs); err != nil {
				return nil, err
			}
		}
	}
	c.fields = o
	return c, nil
}

func readOutputs(list json.RawMessage, total *int) ([]Output, error) {
	var outs []Output
	err := eachElement(list, func(i int, raw json.RawMessage) error {
		if *total++; *total > maxItems {
			return fmt.Errorf("[%d]: more than %d outputs in the notebook", i, maxItems)
		}
		out, err := readOutput(raw)
		if err != nil {
			return fmt.Errorf("[%d]%w", i, err)
		}
		outs = append(outs, out)
		return nil
	})
	if err != nil {
		if len(list) == 0 || list[0] != '[' {
			return nil, errors.New(".outputs: not a list")
		}
		return nil, fmt.Errorf(".outputs%w", err)
	}
	return outs, nil
}

func readOutput(raw json.RawMessage) (out Output, err error) {
	o, err := parseObject(raw)
	if err != nil {
		return out, fmt.Errorf(": %w", err)
	}
	t, err := takeText(&o, "output_type")
	if err != nil {
		return out, err
	}
	switch out.Type = OutputType(t); out.Type {
	case Stream:
		if out.Name, err = takeText(&o, "name"); err != nil {
			return out, err
		}
		out.Text, err = takeText(&o, "text")
	case DisplayData, ExecuteResult:
		err = out.readBundle(&o)
	case Error:
		if out.ErrName, err = takeText(&o, "ename"); err != nil {
			return out, err
		}
		if out.ErrValue, err = takeText(&o, "evalue"); err != nil {
			return out, err
		}
		if tb, ok := o.take("traceback"); ok && string(tb) != "null" {
			if json.Unmarshal(tb, &out.Traceback) != nil {
				return out, errors.New(".traceback: not a list of strings")
			}
		}
	case ClearOutput, UpdateDisplayData:
		return out, fmt.Errorf(".output_type is %s, which is a message and cannot stand in a file", t)
	}
	out.fields = o // of an unknown type: all of it but the type, which is written back
	return out, err
}

func (out *Output) readBundle(o *Object) (err error) {
	if out.Data, err = takeObject(o, "data"); err != nil {
		return err
	}
	for _, mime := range out.Data.keys {
		// Lists of lines are joined, so that a value looks the same whether it came from a file or a kernel. JSON types are data, not text.
		if v := out.Data.vals[mime]; len(v) > 0 && v[0] == '[' && !isJSON(mime) {
			if s, err := joinLines(v); err == nil {
				out.Data.vals[mime] = appendString(nil, s)
			}
		}
	}
	if out.Metadata, err = takeObject(o, "metadata"); err != nil {
		return err
	}
	if out.Type == ExecuteResult {
		out.ExecutionCount, err = takeCount(o)
	}
	return err
}

func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasPrefix(mime, "application/") && strings.HasSuffix(mime, "+json")
}

// short quotes a piece of the file for an error message: one line, not too long.
func short(b []byte) string {
	const limit = 40
	s := string(b[:min(len(b), limit)])
	if len(b) > limit {
		s += "..."
	}
	return fmt.Sprintf("%q", s)
}
