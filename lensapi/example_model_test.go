package lens_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// Load takes the name of the embedded model, or a folder that Hugging Face's tools saved.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv(lens.CacheDirEnv, dir) // without it, what is computed is kept in the user's cache folder
	defer os.Unsetenv(lens.CacheDirEnv)

	m, err := lens.Load("teach")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Println(m)
	// Output: teach: gpt2, 6 layers, d_model 96, 4 heads, d_vocab 1020, context 256, sha256 1cb1ab342d92
}

// With rounded weights a model needs less memory, and says so in its name: it is another model, with numbers of its own.
func ExampleLoadWith() {
	dir, err := os.MkdirTemp("", "lens") // what the model computes is kept here
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m, err := lens.LoadWith("teach", lens.LoadOptions{CacheDir: dir, Weights: "int8"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Println(m)
	// Output: teach (approximation: weights rounded to int8): gpt2, 6 layers, d_model 96, 4 heads, d_vocab 1020, context 256, sha256 fe67d026b642
}

// Ask before loading: only the headers of the files are read.
func ExampleEstimate() {
	for _, weights := range []string{"", "bf16", "int8"} {
		need, err := lens.Estimate("teach", lens.LoadOptions{Weights: weights})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-6q %.1f MB, and %d bytes a token\n", weights, float64(need.Weights)/1e6, need.Position)
	}
	// Output:
	// ""     3.6 MB, and 5376 bytes a token
	// "bf16" 1.8 MB, and 5376 bytes a token
	// "int8" 1.0 MB, and 5376 bytes a token
}

func ExampleCacheDir() {
	dir, err := lens.CacheDir("experiments") // "" asks where it is by default
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.IsAbs(dir), filepath.Base(dir))
	// Output: true experiments
}

func ExampleModel_Config() {
	m, done := example()
	defer done()
	c := m.Config()
	fmt.Printf("%s: %d layers of %d heads, d_model %d, %d tokens, context %d\n", c.Family, c.NLayers, c.NHeads, c.DModel, c.DVocab, c.NCtx)
	fmt.Println("can chat:", m.HasChatTemplate())
	fmt.Printf("SHA-256 %.12s, of the final norm and unembedding %.12s\n", m.Digest(), m.HeadDigest())
	// Output:
	// gpt2: 6 layers of 4 heads, d_model 96, 1020 tokens, context 256
	// can chat: true
	// SHA-256 1cb1ab342d92, of the final norm and unembedding ce54466b77d7
}

func ExampleModel_Rows() {
	m, done := example()
	defer done()
	fmt.Println(m.Rows())
	// Output: [embed 0_post 1_post 2_post 3_post 4_post 5_post]
}

// A token is its id. Most words have a space before them, which belongs to the token.
func ExampleModel_Encode() {
	m, done := example()
	defer done()
	ids, err := m.Encode("The capital of France is")
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range ids {
		fmt.Printf("%d %q\n", id, m.TokenText(id))
	}
	fmt.Println(m.Decode(ids))
	// Output:
	// 1000 "The"
	// 773 " capital"
	// 980 " of"
	// 586 " France"
	// 858 " is"
	// The capital of France is
}

func ExampleModel_TokenID() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(paris)
	_, err = m.TokenID(" Gopherville")
	fmt.Println(err)
	// Output:
	// 744
	// " Gopherville" is 7 tokens, not one: give one token, or its id
}

// A BOS changes every number, so it is worth a look at what is really fed.
func ExampleModel_PromptIDs() {
	m, done := example()
	defer done()
	for _, bos := range []lens.BOS{lens.BOSAuto, lens.BOSYes} {
		ids, err := m.PromptIDs("The capital", bos)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(bos, ids)
	}
	ids, err := m.WithBOS([]int{1000, 773}, lens.BOSYes) // the same for ids
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ids)
	// Output:
	// auto [1000 773]
	// yes [1016 1000 773]
	// [1016 1000 773]
}

// Glyphs shows what a text would hide: spaces, line ends, and bytes that are only a part of a character.
func ExampleToken_Glyphs() {
	for _, t := range []lens.Token{{ID: 586, Bytes: []byte(" France")}, {ID: 198, Bytes: []byte("\n")}, {ID: 158, Bytes: []byte{0xe2}}} {
		fmt.Printf("%q is shown as %s\n", t.Text(), t.Glyphs())
	}
	// Output:
	// " France" is shown as ␣France
	// "\n" is shown as ⏎
	// "⟨E2⟩" is shown as ⟨E2⟩
}

// Sites are the places of a run that Intervene and Patch can change, named as in TransformerLens.
func ExampleModel_Sites() {
	m, done := example()
	defer done()
	for _, s := range m.Sites() { // a shape is that of one position; -1 is the number of positions
		if strings.HasPrefix(s.Name, "blocks.3.attn.") {
			fmt.Println(s.Name, s.Shape)
		}
	}
	// Output:
	// blocks.3.attn.hook_q [4 24]
	// blocks.3.attn.hook_k [4 24]
	// blocks.3.attn.hook_v [4 24]
	// blocks.3.attn.hook_attn_scores [4 -1]
	// blocks.3.attn.hook_pattern [4 -1]
	// blocks.3.attn.hook_z [4 24]
	// blocks.3.attn.hook_result [4 96]
}

func ExampleSiteAt() {
	fmt.Println(lens.SiteAt(3, "z"))
	fmt.Println(lens.SiteAt(3, "resid_post"))
	// Output:
	// blocks.3.attn.hook_z
	// blocks.3.hook_resid_post
}

// Every error says in one line what was wrong and what is allowed; its code is for programs.
func ExampleError() {
	m, done := example()
	defer done()
	_, err := m.LogitLens(context.Background(), "The capital", lens.LensOptions{Variant: "logit"})
	var e *lens.Error
	if errors.As(err, &e) {
		fmt.Printf("%s: %s\n", e.Code, e.Message)
	}
	// Output: invalid: lens variant "logit" is not known: use one of [normed raw scaled tuned jacobian]
}
