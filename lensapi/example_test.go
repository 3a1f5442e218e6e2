package lens_test

import (
	"context"
	"fmt"
	"log"
	"os"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// example loads the embedded model with a cache that the example throws away. A program of yours would say lens.Load("teach").
func example() (*lens.Model, func()) {
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		log.Fatal(err)
	}
	m, err := lens.LoadWith("teach", lens.LoadOptions{CacheDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	return m, func() {
		m.Close()
		os.RemoveAll(dir)
	}
}

// A prompt through the logit lens, then a conversation and a click on a token of its answer.
func Example() {
	m, done := example() // lens.Load("teach"), with a cache that is thrown away
	defer done()
	ctx := context.Background()
	grid, err := m.LogitLens(ctx, "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(grid) // the model's own output on top; in a notebook a picture

	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.Say(ctx, "What is the capital of Peru?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply)
	view, err := chat.Click(reply.Start) // what was it about to say after the first token of the answer?
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range view.LayerPredictions {
		fmt.Printf("%-7s %q\n", l.Row, l.Top[0].Token)
	}
	// Output:
	// teach (1cb1ab342d92) · lens normed · no BOS
	// a cell is what its row would say after the token at the head of its column
	//
	// row     0 The         1 ␣capital    2 ␣of        3 ␣France    4 ␣is
	// 5_post  ␣city .45     ␣of .99       ␣Poland .05  ␣is 1.0      ␣Paris .99
	// 4_post  : .27         ␣of 1.0       ␣Chile .07   ␣is 1.0      ␣Paris .99
	// 3_post  ␣lasted .65   ␣of .94       ␣of .38      ␣is .99      ␣Paris .92
	// 2_post  ␣lasted .36   ␣of .94       ␣of .87      ␣is .57      ␣Paris .08
	// 1_post  : .33         ␣of .56       ␣of .77      ␣of .05      lin .01
	// 0_post  : .04         : .02         ⟨F2⟩ <.01    lin <.01     lin <.01
	// embed   ␣country .08  ␣capital .02  ␣of .83      ␣France .74  ␣drink .02
	//
	// The capital of Peru is Lima.
	// embed   "."
	// 0_post  " Ir"
	// 1_post  " Span"
	// 2_post  " Span"
	// 3_post  " capital"
	// 4_post  " capital"
	// 5_post  " capital"
}
