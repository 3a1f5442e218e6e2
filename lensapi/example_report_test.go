package lens_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleModel_Report() {
	m, done := example()
	defer done()
	ids, err := m.Encode("The capital of France is")
	if err != nil {
		log.Fatal(err)
	}
	report, err := m.Report(context.Background(), lens.ReportRequest{Kind: "lens", IDs: ids, Top: 3})
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := m.Verify(context.Background(), report)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(verdict)
	// Output: equal to the bit
}

func ExampleConversation_Report() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.NewChat(lens.ChatOptions{Sampling: lens.Sampling{Temperature: 0.8, Seed: 7}})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.Say(ctx, "What is the capital of France?")
	if err != nil {
		log.Fatal(err)
	}
	r, err := chat.Report(ctx, reply)
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := m.Verify(ctx, r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(verdict)
	// Output: equal to the bit
}

// A report goes through a file: whoever reads it can compute it again, and must find equal bits.
func ExampleReadReport() {
	m, done := example()
	defer done()
	ctx := context.Background()
	ids, err := m.PromptIDs("The capital of France is", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	r, err := m.Report(ctx, lens.ReportRequest{Kind: "attention", IDs: ids, Layers: []int{1}})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := r.Write(&file); err != nil {
		log.Fatal(err)
	}
	read, err := lens.ReadReport(&file)
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := m.Verify(ctx, read)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(read.Request.Kind, "of", read.Model)
	fmt.Print(verdict)
	// Output:
	// attention of teach
	// equal to the bit
}
