package lens_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// What was said yesterday is still there: nothing is computed until it goes on.
func ExampleModel_Reopen() {
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
	again, err := m.Reopen("capitals")
	if err != nil {
		log.Fatal(err)
	}
	reply, err := again.Say(ctx, "And its currency?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply)
	fmt.Println(again.Created().Equal(chat.Created()))
	// Output:
	// The currency of France is the euro.
	// true
}

func ExampleModel_Conversations() {
	m, done := example()
	defer done()
	for _, country := range []string{"France", "Peru"} {
		chat, err := m.NewChat(lens.ChatOptions{ID: country})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := chat.Say(context.Background(), "What is the capital of "+country+"?"); err != nil {
			log.Fatal(err)
		}
	}
	if err := m.Forget("Peru"); err != nil {
		log.Fatal(err)
	}
	kept, err := m.Conversations()
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range kept {
		fmt.Println(c.ID, c.Tokens, "tokens")
	}
	// Output: France 18 tokens
}

// The same question twice: the second answer comes from the cache, without a forward pass.
func ExampleModel_Status() {
	m, done := example()
	defer done()
	for range 2 {
		if _, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{}); err != nil {
			log.Fatal(err)
		}
		s := m.Status()
		fmt.Println(s.Forward.Tokens, "tokens fed,", s.Cache.Conversations, "text kept")
	}
	// Output:
	// 5 tokens fed, 1 text kept
	// 5 tokens fed, 1 text kept
}

// What a long conversation will take on disk, before it is begun.
func ExampleModel_EstimateCache() {
	m, done := example()
	defer done()
	for _, codec := range []cache.Codec{cache.CodecF16, cache.CodecF32} {
		e, err := m.EstimateCache(10_000, codec)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %.0f kB a token, most of it residual rows: %v\n", codec, float64(e.Bytes)/10_000/1000, e.Rows > e.Bytes/2)
	}
	// Output:
	// f16: 2 kB a token, most of it residual rows: true
	// f32: 3 kB a token, most of it residual rows: true
}

// RepairCache reads all that is kept and computes what is missing.
func ExampleModel_RepairCache() {
	m, done := example()
	defer done()
	if _, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{}); err != nil {
		log.Fatal(err)
	}
	r, err := m.RepairCache(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Conversations, "read,", len(r.Damaged), "damaged,", r.Recomputed, "tokens computed again")
	// Output: 1 read, 0 damaged, 0 tokens computed again
}

func ExampleConversation_Residuals() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.Complete(ctx, "The capital of France is", lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		log.Fatal(err)
	}
	r, err := chat.Residuals(ctx, 0, chat.Len())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Positions, "positions,", len(r.Rows), "rows, d_model", r.DModel, "stored as", r.Codec)
	for i, row := range r.Rows {
		var squares float64
		for _, x := range r.At(i, 4) {
			squares += float64(x) * float64(x)
		}
		fmt.Printf("%-7s norm %.1f\n", row, math.Sqrt(squares))
	}
	// Output:
	// 6 positions, 7 rows, d_model 96 stored as float16
	// embed   norm 2.6
	// 0_post  norm 34.8
	// 1_post  norm 41.0
	// 2_post  norm 40.6
	// 3_post  norm 41.2
	// 4_post  norm 41.6
	// 5_post  norm 42.8
}

// The places whose rows are nearest to one of interest: where else is the model in this state?
func ExampleHits_Click() {
	m, done := example()
	defer done()
	ctx := context.Background()
	for _, country := range []string{"France", "Italy", "Spain"} {
		if _, err := m.Complete(ctx, "The capital of "+country+" is", lens.ChatOptions{ID: country, MaxTokens: 1}); err != nil {
			log.Fatal(err)
		}
	}
	france, err := m.Reopen("France")
	if err != nil {
		log.Fatal(err)
	}
	r, err := france.Residuals(ctx, 4, 5)
	if err != nil {
		log.Fatal(err)
	}
	hits, err := m.Search(ctx, lens.Query{Near: r.At(3, 0), Row: r.Rows[3], Limit: 3})
	if err != nil {
		log.Fatal(err)
	}
	for i, h := range hits.Hits {
		view, err := hits.Click(i)
		if err != nil {
			log.Fatal(err)
		}
		out := view.LayerPredictions[len(view.LayerPredictions)-1].Top[0]
		fmt.Printf("cosine %.2f after %q in %s: %q\n", h.Score, h.TokenText, h.ConversationID, out.Token)
	}
	// Output:
	// cosine 1.00 after " is" in France: " Paris"
	// cosine 0.67 after " is" in Spain: " Madrid"
	// cosine 0.51 after " Spain" in Spain: " is"
}

func ExampleModel_Search() {
	m, done := example()
	defer done()
	for _, country := range []string{"France", "Italy", "Spain"} {
		if _, err := m.LogitLens(context.Background(), "The capital of "+country+" is", lens.LensOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		log.Fatal(err)
	}
	hits, err := m.Search(context.Background(), lens.Query{Token: &lens.Within{Token: rome, First: 1}, Row: "5_post"})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range hits.Hits {
		fmt.Printf("%d %q after %q\n", h.Position, h.TokenText, h.Context[len(h.Context)-1].TokenText)
	}
	// Output: 4 " is" after " Italy"
}
