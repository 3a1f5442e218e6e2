package wire

import "encoding/json"

// Message types.
const (
	KernelInfoRequest     = "kernel_info_request"
	KernelInfoReply       = "kernel_info_reply"
	ConnectRequest        = "connect_request"
	ConnectReply          = "connect_reply"
	ExecuteRequest        = "execute_request"
	ExecuteReply          = "execute_reply"
	ExecuteInput          = "execute_input"
	ExecuteResult         = "execute_result"
	DisplayData           = "display_data"
	UpdateDisplayData     = "update_display_data"
	ClearOutput           = "clear_output"
	Stream                = "stream"
	Error                 = "error"
	Status                = "status"
	IOPubWelcome          = "iopub_welcome"
	CompleteRequest       = "complete_request"
	CompleteReply         = "complete_reply"
	InspectRequest        = "inspect_request"
	InspectReply          = "inspect_reply"
	IsCompleteRequest     = "is_complete_request"
	IsCompleteReply       = "is_complete_reply"
	HistoryRequest        = "history_request"
	HistoryReply          = "history_reply"
	CommInfoRequest       = "comm_info_request"
	CommInfoReply         = "comm_info_reply"
	CommOpen              = "comm_open"
	CommMsg               = "comm_msg"
	CommClose             = "comm_close"
	InterruptRequest      = "interrupt_request"
	InterruptReply        = "interrupt_reply"
	ShutdownRequest       = "shutdown_request"
	ShutdownReply         = "shutdown_reply"
	DebugRequest          = "debug_request"
	DebugReply            = "debug_reply"
	InputRequest          = "input_request"
	CreateSubshellRequest = "create_subshell_request"
	CreateSubshellReply   = "create_subshell_reply"
	DeleteSubshellRequest = "delete_subshell_request"
	DeleteSubshellReply   = "delete_subshell_reply"
	ListSubshellRequest   = "list_subshell_request"
	ListSubshellReply     = "list_subshell_reply"
	InputReply            = "input_reply"
)

// Values of the status member of replies.
const (
	StatusOK      = "ok"
	StatusError   = "error"
	StatusAborted = "aborted"
)

// Values of StatusContent.ExecutionState.
const (
	StateStarting = "starting"
	StateBusy     = "busy"
	StateIdle     = "idle"
)

// Bundle maps MIME types to data.
type Bundle map[string]any

// StatusContent is the content of status.
type StatusContent struct {
	ExecutionState string `json:"execution_state"`
}

// Failure is the content of error, and part of every reply: with Status "ok"
// the other members are empty and left out.
type Failure struct {
	Status    string   `json:"status,omitempty"`
	EName     string   `json:"ename,omitempty"`
	EValue    string   `json:"evalue,omitempty"`
	Traceback []string `json:"traceback,omitempty"`
}

// ErrorContent is the content of error: unlike in replies all three are there.
type ErrorContent struct {
	EName     string   `json:"ename"`
	EValue    string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// KernelInfoContent is the content of kernel_info_reply.
type KernelInfoContent struct {
	Failure
	ProtocolVersion       string       `json:"protocol_version"`
	Implementation        string       `json:"implementation"`
	ImplementationVersion string       `json:"implementation_version"`
	LanguageInfo          LanguageInfo `json:"language_info"`
	Banner                string       `json:"banner"`
	Debugger              bool         `json:"debugger"`
	HelpLinks             []HelpLink   `json:"help_links"`
	SupportedFeatures     []string     `json:"supported_features"`
}

// LanguageInfo tells front ends how to show code.
type LanguageInfo struct {
	Name              string `json:"name"`
	Version           string `json:"version"`
	MIMEType          string `json:"mimetype"`
	FileExtension     string `json:"file_extension"`
	PygmentsLexer     string `json:"pygments_lexer"`
	CodemirrorMode    string `json:"codemirror_mode"`
	NBConvertExporter string `json:"nbconvert_exporter"`
}

// HelpLink is an entry of the front end's help menu.
type HelpLink struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// ExecuteContent is the content of execute_request. Use NewExecuteContent: the
// protocol's defaults are not Go's zero values.
type ExecuteContent struct {
	Code            string            `json:"code"`
	Silent          bool              `json:"silent"`
	StoreHistory    bool              `json:"store_history"`
	UserExpressions map[string]string `json:"user_expressions"`
	AllowStdin      bool              `json:"allow_stdin"`
	StopOnError     bool              `json:"stop_on_error"`
}

// NewExecuteContent returns the protocol's defaults: not silent, kept in the
// history, stopping the queue on an error.
func NewExecuteContent(code string) ExecuteContent {
	return ExecuteContent{Code: code, StoreHistory: true, StopOnError: true, UserExpressions: map[string]string{}}
}

// ExecuteReplyContent is the content of execute_reply.
type ExecuteReplyContent struct {
	Failure
	ExecutionCount  int                       `json:"execution_count"`
	Payload         []map[string]any          `json:"payload"`
	UserExpressions map[string]ExpressionData `json:"user_expressions"`
}

// ExpressionData is the value of one user expression.
type ExpressionData struct {
	Failure
	Data     Bundle `json:"data,omitempty"`
	Metadata Bundle `json:"metadata,omitempty"`
}

// ExecuteInputContent is the content of execute_input.
type ExecuteInputContent struct {
	Code           string `json:"code"`
	ExecutionCount int    `json:"execution_count"`
}

// DisplayContent is the content of display_data and update_display_data.
type DisplayContent struct {
	Data      Bundle         `json:"data"`
	Metadata  Bundle         `json:"metadata"`
	Transient map[string]any `json:"transient"`
}

// ExecuteResultContent is the content of execute_result.
type ExecuteResultContent struct {
	ExecutionCount int    `json:"execution_count"`
	Data           Bundle `json:"data"`
	Metadata       Bundle `json:"metadata"`
}

// StreamContent is the content of stream.
type StreamContent struct {
	Name string `json:"name"` // "stdout" or "stderr"
	Text string `json:"text"`
}

// ClearOutputContent is the content of clear_output.
type ClearOutputContent struct {
	Wait bool `json:"wait"`
}

// WelcomeContent is the content of iopub_welcome.
type WelcomeContent struct {
	Subscription string `json:"subscription"`
}

// CompleteContent is the content of complete_request. CursorPos counts code
// points; nil means the end.
type CompleteContent struct {
	Code      string `json:"code"`
	CursorPos *int   `json:"cursor_pos"`
}

// CompleteReplyContent is the content of complete_reply. CursorStart and
// CursorEnd count code points.
type CompleteReplyContent struct {
	Failure
	Matches     []string       `json:"matches"`
	CursorStart int            `json:"cursor_start"`
	CursorEnd   int            `json:"cursor_end"`
	Metadata    map[string]any `json:"metadata"`
}

// InspectContent is the content of inspect_request; CursorPos as in
// CompleteContent.
type InspectContent struct {
	Code        string `json:"code"`
	CursorPos   *int   `json:"cursor_pos"`
	DetailLevel int    `json:"detail_level"`
}

// InspectReplyContent is the content of inspect_reply.
type InspectReplyContent struct {
	Failure
	Found    bool   `json:"found"`
	Data     Bundle `json:"data"`
	Metadata Bundle `json:"metadata"`
}

// IsCompleteContent is the content of is_complete_request.
type IsCompleteContent struct {
	Code string `json:"code"`
}

// IsCompleteReplyContent is the content of is_complete_reply. Status is
// "complete", "incomplete", "invalid" or "unknown".
type IsCompleteReplyContent struct {
	Status string `json:"status"`
	Indent string `json:"indent"`
}

// HistoryContent is the content of history_request. HistAccessType is "tail",
// "range" or "search".
type HistoryContent struct {
	Output         bool   `json:"output"`
	Raw            bool   `json:"raw"`
	HistAccessType string `json:"hist_access_type"`
	Session        int    `json:"session"`
	Start          int    `json:"start"`
	Stop           *int   `json:"stop"`
	N              *int   `json:"n"`
	Pattern        string `json:"pattern"`
	Unique         bool   `json:"unique"`
}

// HistoryReplyContent is the content of history_reply: entries are [session,
// line, input], or [session, line, [input, output]] when output was asked for.
type HistoryReplyContent struct {
	Failure
	History [][3]any `json:"history"`
}

// CommContent is the content of comm_open, comm_msg, comm_close and (TargetName
// only) comm_info_request.
type CommContent struct {
	CommID     string          `json:"comm_id,omitempty"`
	TargetName string          `json:"target_name,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// CommInfoReplyContent is the content of comm_info_reply: comm id to target.
type CommInfoReplyContent struct {
	Failure
	Comms map[string]CommContent `json:"comms"`
}

// InputContent is the content of input_request.
type InputContent struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"`
}

// InputReplyContent is the content of input_reply.
type InputReplyContent struct {
	Status string `json:"status,omitempty"`
	Value  string `json:"value"`
}

// SubshellContent is the content of create_subshell_reply and, with the
// identifier alone, of delete_subshell_request.
type SubshellContent struct {
	Status     string `json:"status,omitempty"`
	SubshellID string `json:"subshell_id"`
}

// SubshellsContent is the content of list_subshell_reply.
type SubshellsContent struct {
	Failure
	SubshellIDs []string `json:"subshell_id"`
}

// ShutdownContent is the content of shutdown_request and shutdown_reply.
type ShutdownContent struct {
	Status  string `json:"status,omitempty"`
	Restart bool   `json:"restart"`
}
