package lens_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleModel_Attribute() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		log.Fatal(err)
	}
	a, err := m.Attribute(context.Background(), "The capital of France is", -1, lens.DifferenceOf(paris, rome), lens.AttributionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range a.Parts() {
		fmt.Printf("%-10s %+.2f\n", p.Name, p.Value)
	}
	fmt.Printf("sum %.2f, total %.2f, first head %s\n", a.Sum, a.Total, a.TopHeads(1)[0].Name)
	// Output:
	// embed      -0.03
	// pos_embed  +0.02
	// 0_attn_out -0.14
	// 0_mlp_out  +1.75
	// 1_attn_out +1.66
	// 1_mlp_out  +1.25
	// 2_attn_out -0.03
	// 2_mlp_out  +2.78
	// 3_attn_out -0.42
	// 3_mlp_out  +0.97
	// 4_attn_out -0.47
	// 4_mlp_out  +1.90
	// 5_attn_out -0.18
	// 5_mlp_out  +0.71
	// bias       -0.11
	// sum 9.66, total 9.66, first head L1H0
}

// The heads and neurons that add most to " Paris" rather than " Rome".
func ExampleAttribution_TopNeurons() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		log.Fatal(err)
	}
	a, err := m.Attribute(context.Background(), "The capital of France is", -1, lens.DifferenceOf(paris, rome), lens.AttributionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range append(a.TopHeads(2), a.TopNeurons(3)...) {
		fmt.Printf("%-7s %+.2f\n", p.Name, p.Value)
	}
	// Output:
	// L1H0    +2.16
	// L4H1    -0.46
	// L2N326  +0.50
	// L3N59   +0.49
	// L3N157  +0.45
}

// Why the model said what it said, at a token of a conversation.
func ExampleConversation_Attribute() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(ctx, "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	paris, err := chat.Find("Paris")
	if err != nil {
		log.Fatal(err)
	}
	a, err := chat.Attribute(ctx, paris-1, lens.LogitOf(chat.IDs()[paris]), lens.AttributionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for l := range a.Attn {
		fmt.Printf("layer %d: attention %+.2f, MLP %+.2f\n", l, a.Attn[l], a.MLP[l])
	}
	// Output:
	// layer 0: attention +0.28, MLP +3.45
	// layer 1: attention -0.78, MLP +3.41
	// layer 2: attention -0.00, MLP -1.36
	// layer 3: attention +0.56, MLP +0.99
	// layer 4: attention +2.04, MLP -0.58
	// layer 5: attention +0.75, MLP +1.65
}

// The terms as bars, and the heads as a picture of layers by heads.
func ExampleAttribution_Chart() {
	m, done := example()
	defer done()
	ids, err := m.PromptIDs("The capital of France is", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	a, err := m.AttributeIDs(context.Background(), ids, -1, lens.LogitOf(paris), lens.AttributionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	bars, err := a.Chart()
	if err != nil {
		log.Fatal(err)
	}
	heads, err := a.HeadChart()
	if err != nil {
		log.Fatal(err)
	}
	terms, _, _ := strings.Cut(bars.Text(), "\n\n")
	fmt.Println(terms)
	fmt.Print(heads.Text())
	// Output:
	// What adds to the logit of “␣Paris”
	// bias        1.3527
	// 5_mlp_out   1.5858
	// 5_attn_out  1.2185
	// 4_mlp_out   0.1268
	// 4_attn_out  2.4243
	// 3_mlp_out   1.3392
	// 3_attn_out  0.2355
	// 2_mlp_out   -0.3780
	// 2_attn_out  0.5620
	// 1_mlp_out   2.2331
	// 1_attn_out  -1.1066
	// 0_mlp_out   3.7873
	// 0_attn_out  0.3808
	// pos_embed   -0.2732
	// embed       -0.0202
	// What each head adds to the logit of “␣Paris”
	// layer  0      1      2      3
	// 5      0.49   -0.01  0.41   0.04
	// 4      0.05   1.11   0.91   0.25
	// 3      0.09   -0.10  -0.13  0.50
	// 2      0.53   0.01   0.36   -0.02
	// 1      -0.49  -0.37  0.61   -0.36
	// 0      0.19   0.20   0.24   -0.14
	//
	// values: logit
	// teach (1cb1ab342d92) · direct attribution after “␣is” at position 4 · final norm with its own scale · value bias in heads
}
