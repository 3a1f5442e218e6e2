"""The Jupyter project's kernel tests (jupyter_kernel_test) for this kernel.

The suite skips a test whose sample is missing, so a skip here is a failure. A kernel that does not answer fails instead of hanging.
"""
import faulthandler
import sys
import unittest

import jupyter_kernel_test

HTML = """
type bold struct{ text string }

func (b bold) MIMEBundle() map[string]any {
	return map[string]any{"text/plain": b.text, "text/html": "<b>" + b.text + "</b>"}
}
"""


class GopherlensTests(jupyter_kernel_test.KernelTests):
    kernel_name = "gopherlens"
    language_name = "go"
    file_extension = ".go"

    code_hello_world = 'import "fmt"\n\nfmt.Println("hello, world")'
    code_stderr = 'import (\n\t"fmt"\n\t"os"\n)\n\nfmt.Fprintln(os.Stderr, "hello, stderr")'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": HTML + 'bold{"result"}', "mime": "text/html", "result": "<b>result</b>"},
    ]
    code_display_data = [{"code": HTML + 'Display(bold{"shown"})', "mime": "text/html"}]
    code_generate_error = "var none []int\nnone[3] = 1"

    completion_samples = [
        {"text": 'import "strings"\nstrings.ToUpp', "matches": {"ToUpper", "ToUpperSpecial"}},
        {"text": "Disp", "matches": {"Display", "DisplayID", "display"}},
    ]
    complete_code_samples = ["x := 1", "func f() int {\n\treturn 1\n}", 'import "fmt"\nfmt.Println(1)', "// a remark", "type T struct{ A int }"]
    incomplete_code_samples = ["for i := 0; i < 3; i++ {", "f(1,", "s := `open", "if true {\n\tx := 1", "/* open"]
    invalid_code_samples = ["x := )", "func }", "var 1 = 2"]
    code_inspect_sample = 'import "strings"\nstrings.ToUpper'

    code_history_pattern = "6 * 7"
    supported_history_operations = ("tail", "range", "search")

    code_page_something = 'Page("a long text")'
    code_clear_output = "ClearOutput(false)"

    def get_non_kernel_info_reply(self, timeout=None):
        return super().get_non_kernel_info_reply(timeout=timeout or jupyter_kernel_test.TIMEOUT)


def main():
    faulthandler.dump_traceback_later(300, exit=True)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(GopherlensTests)
    total = suite.countTestCases()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    skipped = {t.id().split(".")[-1].split(" ")[0] for t, _ in result.skipped}
    for name in sorted(skipped):
        print(f"{name} was skipped: it needs a sample")
    passed = total - len(skipped) - len({t.id().split(" ")[0] for t, _ in result.failures + result.errors})
    print(f"{passed} of {total} passed")
    sys.exit(not result.wasSuccessful() or bool(skipped) or result.testsRun != total or total < 12)


if __name__ == "__main__":
    main()
