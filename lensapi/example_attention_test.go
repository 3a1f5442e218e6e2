package lens_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleModel_Attention() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	roll, err := a.Rollout()
	if err != nil {
		log.Fatal(err)
	}
	last := len(a.IDs) - 1
	fmt.Printf("L1H0 from the last token: %.2f\n", a.Pattern[1][0][last])
	fmt.Printf("rollout from there:       %.2f\n", roll[last])
	// Output:
	// L1H0 from the last token: [0.02 0.00 0.01 0.01 0.96]
	// rollout from there:       [0.70 0.16 0.05 0.04 0.05]
}

// In words: where each head of a layer looks from the last token.
func ExampleModel_AttentionIDs() {
	m, done := example()
	defer done()
	ids, err := m.PromptIDs("Repeat: kiwi drum park kiwi drum", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	a, err := m.AttentionIDs(context.Background(), ids, lens.AttentionOptions{Layers: []int{1}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(a)
	// Output:
	// teach (1cb1ab342d92)
	// head  last looks at  weight  mean on the first token  mean on the one before
	// L1H0  5 ␣kiwi        0.86    0.07                     0.49
	// L1H1  5 ␣kiwi        0.83    0.21                     0.55
	// L1H2  5 ␣kiwi        0.90    0.44                     0.49
	// L1H3  5 ␣kiwi        0.74    0.32                     0.48
}

// Where the model looked in a conversation, from the rows that the cache holds: no forward pass.
func ExampleConversation_Attention() {
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
	a, err := chat.Attention(ctx, paris, lens.AttentionOptions{Rows: lens.Stored}) // up to the token before the answer
	if err != nil {
		log.Fatal(err)
	}
	from := a.Pattern[1][0][paris-1] // L1H0
	for _, t := range chat.Tokens()[:paris] {
		if from[t.Position] > 0.05 {
			fmt.Printf("%.2f on %q\n", from[t.Position], t.TokenText)
		}
	}
	// Output:
	// 0.05 on "?"
	// 0.28 on "<|end|>"
	// 0.58 on " is"
}

// One head: queries downwards, keys to the right.
func ExampleAttention_Head() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := a.Head(1, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Attention of L1H0
	// from      The   ␣capital  ␣of   ␣France  ␣is
	// The       1.00  -         -     -        -
	// ␣capital  0.78  0.22      -     -        -
	// ␣of       0.73  0.16      0.11  -        -
	// ␣France   0.53  0.14      0.18  0.14     -
	// ␣is       0.02  0.00      0.01  0.01     0.96
	//
	// values: weight
	// teach (1cb1ab342d92) · rows attend to columns
}

// All heads small: which of them are worth a closer look?
func ExampleAttention_Chart() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{Layers: []int{0, 1}})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := a.Chart()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Attention over 5 tokens
	// head  last position looks most at  value
	// L0H0  3                            1.00
	// L0H1  3                            0.71
	// L0H2  0                            0.34
	// L0H3  1                            0.91
	// L1H0  4                            0.96
	// L1H1  0                            0.76
	// L1H2  0                            0.77
	// L1H3  0                            0.76
	//
	// values: weight
	// teach (1cb1ab342d92) · in each square queries go down and keys to the right
}

func ExampleAttention_RolloutChart() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := a.RolloutChart()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Attention rollout
	// from      The   ␣capital  ␣of   ␣France  ␣is
	// The       1.00  -         -     -        -
	// ␣capital  0.85  0.15      -     -        -
	// ␣of       0.77  0.15      0.08  -        -
	// ␣France   0.76  0.16      0.05  0.03     -
	// ␣is       0.70  0.16      0.05  0.04     0.05
	//
	// values: share (Abnar and Zuidema 2020)
	// teach (1cb1ab342d92) · rows attend to columns
}

// A value that shows itself in a notebook, with a table for people.
func ExampleRollout_Chart() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The keys near the cabinet", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := a.RolledOut()
	if err != nil {
		log.Fatal(err)
	}
	fig, err := r.Chart()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Attention rollout
	// from      The   ␣keys  ␣near  ␣the  ␣cabinet
	// The       1.00  -      -      -     -
	// ␣keys     0.93  0.07   -      -     -
	// ␣near     0.88  0.08   0.04   -     -
	// ␣the      0.69  0.17   0.06   0.08  -
	// ␣cabinet  0.76  0.13   0.05   0.04  0.03
	//
	// values: share (Abnar and Zuidema 2020)
	// teach (1cb1ab342d92) · rows attend to columns
}

// The scores of all heads as pictures, layers by heads: previous-token, duplicate-token and induction heads.
func ExampleHeadScores_Chart() {
	m, done := example()
	defer done()
	s, err := m.HeadScores(context.Background(), lens.HeadScoreOptions{Length: 16, Texts: 2})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := s.Chart()
	if err != nil {
		log.Fatal(err)
	}
	previous, _, _ := strings.Cut(fig.Text(), "\n\n") // the first of the three
	fmt.Println(previous)
	// Output:
	// Previous-token heads
	// layer  0     1     2     3
	// 5      0.12  0.09  0.07  0.07
	// 4      0.06  0.10  0.14  0.07
	// 3      0.10  0.09  0.11  0.07
	// 2      0.07  0.06  0.07  0.08
	// 1      0.08  0.08  0.07  0.08
	// 0      0.56  0.33  0.07  0.12
}

func ExampleAttention_RolledOut() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := a.RolledOut()
	if err != nil {
		log.Fatal(err)
	}
	var sum float64
	for _, x := range r.Share[len(r.Share)-1] {
		sum += x
	}
	fmt.Printf("%.6f\n", sum)
	// Output: 1.000000
}

func ExampleModel_HeadScores() {
	m, done := example()
	defer done()
	s, err := m.HeadScores(context.Background(), lens.HeadScoreOptions{Length: 16})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("L0H0 looks at the token before: %.1f\n", s.Previous[0][0])
	// Output:
	// L0H0 looks at the token before: 0.6
}
