package notebook

import (
	"encoding/json"
	"fmt"
	"slices"
)

// CellType says what a cell holds.
type CellType string

// The three cell types of nbformat 4.
const (
	Code     CellType = "code"
	Markdown CellType = "markdown"
	Raw      CellType = "raw"
)

// Tags of a code cell that Run obeys, as nbclient does.
const (
	TagRaisesException = "raises-exception" // an error of this cell does not stop the run
	TagSkipExecution   = "skip-execution"   // the cell is left as it is
)

// Notebook is a document of nbformat 4. The zero value with Minor 5 is an empty notebook.
type Notebook struct {
	Minor    int    // nbformat_minor: 0 to 5, newer ones are kept as read
	Metadata Object // kernelspec, language_info, title and whatever else is there
	Cells    []*Cell

	fields Object // members of the file in order; typed ones without value
}

// Cell is one cell.
type Cell struct {
	Type           CellType
	ID             string // required and unique from nbformat 4.5 on: Write makes up what is missing
	Source         string
	Metadata       Object
	ExecutionCount int      // code cells: the n of In[n], 0 for a cell that has not run
	Outputs        []Output // code cells

	fields Object
}

// Tags returns the cell's tags.
func (c *Cell) Tags() []string {
	var tags []string
	c.Metadata.Get("tags", &tags)
	return tags
}

// HasTag reports whether the cell carries the tag.
func (c *Cell) HasTag(tag string) bool { return slices.Contains(c.Tags(), tag) }

// OutputType says what an output is.
type OutputType string

// The output types of nbformat 4, and two that only travel from an Executor to Run and are never written.
const (
	Stream        OutputType = "stream"
	DisplayData   OutputType = "display_data"
	ExecuteResult OutputType = "execute_result"
	Error         OutputType = "error"

	ClearOutput       OutputType = "clear_output"
	UpdateDisplayData OutputType = "update_display_data"
)

// Output is one output of a code cell. Which fields count depends on Type.
type Output struct {
	Type OutputType

	Name string // Stream: stdout or stderr
	Text string // Stream

	Data           Object // DisplayData, ExecuteResult, UpdateDisplayData: MIME type to value
	Metadata       Object // the same: per MIME type, such as image/png: {width, height}
	ExecutionCount int    // ExecuteResult: the n of Out[n]
	DisplayID      string // DisplayData, ExecuteResult, UpdateDisplayData: lets later updates find it; never written

	ErrName   string   // Error
	ErrValue  string   // Error
	Traceback []string // Error: lines, which may carry ANSI colours

	Wait bool // ClearOutput: not before the next output comes

	fields Object
}

// KernelSpec is the metadata that names the kernel a notebook wants.
type KernelSpec struct {
	DisplayName string `json:"display_name"`
	Language    string `json:"language,omitempty"`
	Name        string `json:"name"`
}

// KernelSpec returns the kernel the notebook names, zero if it names none.
func (nb *Notebook) KernelSpec() KernelSpec {
	var k KernelSpec
	nb.Metadata.Get("kernelspec", &k)
	return k
}

// SetKernelSpec names the kernel, replacing what was there.
func (nb *Notebook) SetKernelSpec(k KernelSpec) error { return nb.Metadata.Set("kernelspec", k) }

// Language returns the name of the notebook's language in lower case as its metadata has it, "" if it does not say.
func (nb *Notebook) Language() string {
	var info struct {
		Name string `json:"name"`
	}
	if nb.Metadata.Get("language_info", &info) && info.Name != "" {
		return info.Name
	}
	return nb.KernelSpec().Language
}

// FromMessage makes an Output of the content of a kernel's iopub message. It reports false for messages that are no output (status,
// execute_input and the like), and an error if the content does not fit its type.
func FromMessage(msgType string, content []byte) (Output, bool, error) {
	var m struct {
		Name      string   `json:"name"`
		Text      string   `json:"text"`
		Data      Object   `json:"data"`
		Metadata  Object   `json:"metadata"`
		Count     *int     `json:"execution_count"`
		ErrName   string   `json:"ename"`
		ErrValue  string   `json:"evalue"`
		Traceback []string `json:"traceback"`
		Wait      bool     `json:"wait"`
		Transient struct {
			DisplayID string `json:"display_id"`
		} `json:"transient"`
	}
	t := OutputType(msgType)
	switch t {
	case Stream, DisplayData, ExecuteResult, Error, ClearOutput, UpdateDisplayData:
	default:
		return Output{}, false, nil
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return Output{}, false, fmt.Errorf("content of a %s message: %w", msgType, err)
	}
	o := Output{
		Type: t, Name: m.Name, Text: m.Text, Data: m.Data, Metadata: m.Metadata, DisplayID: m.Transient.DisplayID,
		ErrName: m.ErrName, ErrValue: m.ErrValue, Traceback: m.Traceback, Wait: m.Wait,
	}
	if m.Count != nil {
		o.ExecutionCount = *m.Count
	}
	return o, true, nil
}
