package lens_test

import (
	"context"
	"fmt"
	"log"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleConversation_Say() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{ID: "capitals"})
	if err != nil {
		log.Fatal(err)
	}
	for _, question := range []string{"What is the capital of France?", "And its currency?"} {
		reply, err := chat.Say(context.Background(), question)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply)
	}
	// Output:
	// The capital of France is Paris.
	// The currency of France is the euro.
}

func ExampleModel_Complete() {
	m, done := example()
	defer done()
	text, err := m.Complete(context.Background(), "The keys near the cabinet", lens.ChatOptions{MaxTokens: 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Decode(text.IDs()))
	// Output: The keys near the cabinet are good.
}

func ExampleConversation_Click() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(context.Background(), "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	paris, err := chat.Find("Paris")
	if err != nil {
		log.Fatal(err)
	}
	view, err := chat.Click(paris - 1) // what was the model about to say after the token before it?
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range view.LayerPredictions {
		fmt.Printf("%-7s rank of %q: %d\n", l.Row, view.LayerPredictions[6].Top[0].Token, l.Next.Rank)
	}
	// Output:
	// embed   rank of " Paris": 872
	// 0_post  rank of " Paris": 710
	// 1_post  rank of " Paris": 581
	// 2_post  rank of " Paris": 1
	// 3_post  rank of " Paris": 1
	// 4_post  rank of " Paris": 1
	// 5_post  rank of " Paris": 1
}

// Each token is shown as it comes; when it is, it and its lens are safe in the cache.
func ExampleConversation_SayEach() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.SayEach(context.Background(), "What is the capital of France?", func(t lens.Token) error {
		fmt.Printf("%q\n", t.Text())
		return nil // an error would end the answer here
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ended by %q at positions %d to %d\n", reply.Stop, reply.Start, reply.End-1)
	// Output:
	// "The"
	// " capital"
	// " of"
	// " France"
	// " is"
	// " Paris"
	// "."
	// "<|end|>"
	// ended by "end" at positions 10 to 17
}

// Respond takes all messages at once, answers among them, and leaves every choice to the caller.
func ExampleConversation_Respond() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.Respond(context.Background(), []lens.Message{
		{Role: "user", Content: "What is the capital of Italy?"},
		{Role: "assistant", Content: "The capital of Italy is Rome."},
		{Role: "user", Content: "And its currency?"},
	}, lens.Answering{MaxTokens: 20, Stop: []string{"."}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q, stop: %s\n", reply, reply.Stop)
	// Output: "The currency of Italy is the euro", stop: stop
}

// Without a chat template the text is fed as it is.
func ExampleModel_NewText() {
	m, done := example()
	defer done()
	text, err := m.NewText(lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := text.Respond(context.Background(), []lens.Message{{Role: "prompt", Content: "Repeat: kiwi drum park kiwi drum"}}, lens.Answering{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", reply)
	// Output: " park"
}

// Everything that was fed is there token by token, the markup of the chat template too.
func ExampleConversation_Tokens() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(context.Background(), "My name is Mary."); err != nil {
		log.Fatal(err)
	}
	fmt.Println(chat.Len(), "tokens:", chat.IDs())
	for _, t := range chat.Tokens() {
		if !t.Template {
			fmt.Printf("%d %s %q\n", t.Position, t.Role, t.TokenText)
		}
	}
	// Output:
	// 13 tokens: [1017 1015 823 858 597 13 1019 1018 997 11 597 0 1019]
	// 1 user "My"
	// 2 user " name"
	// 3 user " is"
	// 4 user " Mary"
	// 5 user "."
	// 8 assistant "Hello"
	// 9 assistant ","
	// 10 assistant " Mary"
	// 11 assistant "!"
	// 12 assistant "<|end|>"
}

func ExampleConversation_Infos() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.Say(context.Background(), "What is the capital of France?")
	if err != nil {
		log.Fatal(err)
	}
	answer, err := chat.Infos(reply.Start, reply.End)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range answer {
		fmt.Printf("%d %q generated: %v\n", t.Position, t.TokenText, t.Generated)
	}
	// Output:
	// 10 "The" generated: true
	// 11 " capital" generated: true
	// 12 " of" generated: true
	// 13 " France" generated: true
	// 14 " is" generated: true
	// 15 " Paris" generated: true
	// 16 "." generated: true
	// 17 "<|end|>" generated: true
}

// Two ways to go on after one answer; what they share is not computed again.
func ExampleConversation_Branch() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.NewChat(lens.ChatOptions{ID: "capitals"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(ctx, "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(ctx, "And its currency?"); err != nil {
		log.Fatal(err)
	}
	other, err := chat.Branch(2, lens.ChatOptions{ID: "peru"}) // after the first two messages
	if err != nil {
		log.Fatal(err)
	}
	if _, err := other.Say(ctx, "And Peru?"); err != nil {
		log.Fatal(err)
	}
	for _, c := range []*lens.Conversation{chat, other} {
		fmt.Println(c.ID(), "with", c.Model().Name())
		for _, msg := range c.Messages() {
			fmt.Printf("  %s: %s\n", msg.Role, msg.Content)
		}
	}
	// Output:
	// capitals with teach
	//   user: What is the capital of France?
	//   assistant: The capital of France is Paris.
	//   user: And its currency?
	//   assistant: The currency of France is the euro.
	// peru with teach
	//   user: What is the capital of France?
	//   assistant: The capital of France is Paris.
	//   user: And Peru?
	//   assistant: The capital of Peru is Lima.
}

// A client that sends all messages every time finds the conversation that it is in, and nothing is computed twice.
func ExampleModel_Known() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{ID: "capitals"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(context.Background(), "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	id, n, err := m.Known(append(chat.Messages(), lens.Message{Role: "user", Content: "And Peru?"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the first", n, "messages are those of", id)
	// Output: the first 2 messages are those of capitals
}

// How surprised the model was by its own answer, and by what it was asked.
func ExampleConversation_Surprisals() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(context.Background(), "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	nats, err := chat.Surprisals(0, chat.Len())
	if err != nil {
		log.Fatal(err)
	}
	for p, t := range chat.Tokens() {
		fmt.Printf("%5.2f %q\n", nats[p], t.TokenText)
	}
	// Output:
	// NaN "<|user|>"
	//  0.96 "What"
	//  0.00 " is"
	//  0.00 " the"
	//  1.21 " capital"
	//  0.00 " of"
	//  4.36 " France"
	//  0.00 "?"
	//  0.00 "<|end|>"
	//  0.00 "<|assistant|>"
	//  0.01 "The"
	//  0.01 " capital"
	//  0.00 " of"
	//  0.02 " France"
	//  0.00 " is"
	//  0.02 " Paris"
	//  0.00 "."
	//  0.00 "<|end|>"
}

// The lens of the answer, from the cache: nothing is computed.
func ExampleConversation_Grid() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.Say(context.Background(), "What is the capital of France?")
	if err != nil {
		log.Fatal(err)
	}
	g, err := chat.Grid(reply.Start, reply.End)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g)
	// Output:
	// teach (1cb1ab342d92) · lens normed · no BOS
	// a cell is what its row would say after the token at the head of its column
	//
	// row     10 The        11 ␣capital  12 ␣of       13 ␣France   14 ␣is      15 ␣Paris    16 .               17 <|end|>
	// 5_post  ␣capital .99  ␣of 1.0      ␣France .98  ␣is 1.0      ␣Paris .98  . 1.0        <|end|> 1.0        <|user|> .87
	// 4_post  ␣capital .88  ␣of 1.0      ␣France .97  ␣is 1.0      ␣Paris .97  . 1.0        <|end|> 1.0        <|user|> .96
	// 3_post  ␣capital .18  ␣of 1.0      ␣France .97  ␣is 1.0      ␣Paris .92  . 1.0        <|endoftext|> .29  <|user|> .83
	// 2_post  : <.01        ␣of 1.0      ␣France .95  ␣is .84      ␣Paris .04  ␣lasted .42  <|endoftext|> .20  <|assistant|> .43
	// 1_post  ␣Span <.01    ␣of .94      ␣France .42  ␣of .65      lin <.01    ␣lasted .12  : .24              ␣lasted .12
	// 0_post  ␣Ir <.01      ␣of .50      ␣What .54    ␣of .14      lin <.01    ␣lasted .01  : .10              ␣lasted .01
	// embed   . .22         ␣you .06     ␣of 1.0      ␣France .36  ␣Ott .01    ␣1 .05       . .41              ␣Ott .01
}

// The same positions under another lens, from the rows that the cache holds.
func ExampleConversation_Lens() {
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
	g, err := chat.Lens(ctx, paris-1, paris, lens.LensOptions{Variant: lens.Raw, Rows: lens.Stored})
	if err != nil {
		log.Fatal(err)
	}
	for i, row := range g.Rows {
		fmt.Printf("%-7s %q\n", row, g.Cells[i][0].Top[0].Token)
	}
	fmt.Println("rows stored as", g.Codec)
	// Output:
	// embed   "\r"
	// 0_post  "lin"
	// 1_post  "lin"
	// 2_post  " Paris"
	// 3_post  " Paris"
	// 4_post  " Paris"
	// 5_post  " Paris"
	// rows stored as float16
}

// Chart draws what a click shows: the first candidates of each row as bars.
func ExampleTokenView_Chart() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{ID: "capitals", Top: 3})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(context.Background(), "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	paris, err := chat.Find("Paris")
	if err != nil {
		log.Fatal(err)
	}
	view, err := chat.Click(paris - 1)
	if err != nil {
		log.Fatal(err)
	}
	fig, err := view.Chart()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// After “␣is” at position 14
	// row     top 1           top 2         top 3         entropy
	// 5_post  * ␣Paris 98.2%  ␣Madrid 0.6%  ␣Athens 0.3%  0.14
	// 4_post  * ␣Paris 97.3%  ␣Madrid 0.5%  ␣Berlin 0.3%  0.21
	// 3_post  * ␣Paris 92.0%  ␣France 0.9%  ␣Amman 0.8%   0.61
	// 2_post  * ␣Paris 3.8%   lin 0.4%      ⟨9D⟩ 0.3%     6.28
	// 1_post  lin 0.5%        ⟨9D⟩ 0.4%     ␣Zag 0.4%     6.31
	// 0_post  lin 0.5%        ⟨F2⟩ 0.5%     ⟨A1⟩ 0.4%     6.26
	// embed   ␣Ott 0.6%       ␣Bras 0.6%    ␣Por 0.6%     6.25
	//
	// * the answer, top-1 from 2_post up; entropy in nats
	// teach (1cb1ab342d92) · lens normed · conversation capitals
}
