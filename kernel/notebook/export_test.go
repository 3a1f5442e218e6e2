package notebook

import "context"

// For the external tests.
var (
	ReadLimited   = read
	PlainFragment = plainFragment
	ANSI          = ansiHTML
	SplitLines    = func(s string) string { return string(appendLines(nil, s)) }
	FrameScript   = frameScript
)

// RunLimited is Run with another bound on the bytes of output.
func (nb *Notebook) RunLimited(ctx context.Context, ex Executor, limit int) error {
	return nb.run(ctx, ex, RunOptions{AllowErrors: true}, limit)
}

// RenderMarkdown renders one untrusted cell.
func RenderMarkdown(s string) string { return newMarkdown(false).html(s, Object{}) }
