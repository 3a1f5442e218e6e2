package lens

import "testing"

func TestKitGlyphs(t *testing.T) {
	for text, want := range map[string]string{
		"": "∅", " the": "␣the", "⟨F2⟩": "⟨F2⟩", " ⟨E2⟩⟨82⟩": "␣⟨E2⟩⟨82⟩", " the⟨id 262⟩": "␣the⟨id 262⟩", "⟨x": "⟨U+27E8⟩x", "\n": "⏎",
	} {
		if got := kitGlyphs(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
