package lens_test

import (
	"context"
	"fmt"
	"log"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleModel_Track() {
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
	t, err := m.Track(context.Background(), "The capital of France is", []int{paris, rome}, lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	last := len(t.IDs) - 1
	for r, row := range t.Rows {
		fmt.Printf("%-7s %6.2f %6.2f\n", row, t.Logprob[0][r][last], t.Logprob[1][r][last])
	}
	// Output:
	// embed   -11.13 -10.73
	// 0_post  -15.04 -16.89
	// 1_post   -6.56 -11.14
	// 2_post   -2.55 -10.08
	// 3_post   -0.08  -8.07
	// 4_post   -0.01  -9.42
	// 5_post   -0.01  -9.68
}

// Which of two answers does each row prefer? The difference of the logits is that of the log-probabilities.
func ExampleTracks_Difference() {
	m, done := example()
	defer done()
	var names []int
	for _, name := range []string{" Mary", " John"} {
		id, err := m.TokenID(name)
		if err != nil {
			log.Fatal(err)
		}
		names = append(names, id)
	}
	t, err := m.Track(context.Background(), "When Mary and John went to the shop, John gave a book to", names, lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	mary, err := t.Difference(0, 1)
	if err != nil {
		log.Fatal(err)
	}
	for r, row := range t.Rows {
		fmt.Printf("%-7s %+.1f\n", row, mary[r][len(t.IDs)-1])
	}
	// Output:
	// embed   -2.7
	// 0_post  +0.8
	// 1_post  -1.9
	// 2_post  -0.1
	// 3_post  +4.7
	// 4_post  +8.4
	// 5_post  +10.3
}

// Chart draws the probability of each token over the rows.
func ExampleTracks_Chart() {
	m, done := example()
	defer done()
	ids, err := m.PromptIDs("The keys near the cabinet", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	t, err := m.TrackIDs(context.Background(), ids, nil, lens.LensOptions{}) // those that are some row's first choice
	if err != nil {
		log.Fatal(err)
	}
	fig, err := t.Chart(-1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// After “␣cabinet” at position 4
	// row     ␣are       ␣of        ␣cabinet
	// 5_post  0.9956     2.376e-07  2.012e-07
	// 4_post  0.9813     9.249e-06  2.516e-07
	// 3_post  0.7799     0.0002847  2.048e-07
	// 2_post  0.6845     0.104      6.157e-06
	// 1_post  0.03981    0.7305     1.032e-06
	// 0_post  6.752e-05  0.1054     1.337e-09
	// embed   1.967e-05  8.328e-06  0.5807
	//
	// values: probability of the next token
	// teach (1cb1ab342d92) · lens normed
}

// Follow tokens through a part of a conversation, with their ranks.
func ExampleConversation_Track() {
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
	t, err := chat.Track(ctx, paris-1, paris, []int{chat.IDs()[paris]}, lens.LensOptions{Stats: true})
	if err != nil {
		log.Fatal(err)
	}
	for r, row := range t.Rows {
		fmt.Printf("%-7s rank %d\n", row, t.Rank[0][r][0])
	}
	// Output:
	// embed   rank 872
	// 0_post  rank 710
	// 1_post  rank 581
	// 2_post  rank 1
	// 3_post  rank 1
	// 4_post  rank 1
	// 5_post  rank 1
}
