package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

func main() {
	s := "héllo, 世界"
	for i, r := range s {
		fmt.Print(i, ":", string(r), " ")
	}
	fmt.Println(len(s), utf8.RuneCountInString(s), reverse(s), s[1], s[0:1])
	bad := "a\xffb"
	for _, r := range bad {
		fmt.Printf("%U ", r)
	}
	fmt.Println([]byte(bad), strings.ToUpper(s), strings.Map(func(r rune) rune {
		if r == 'l' {
			return -1
		}
		return r + 1
	}, "hello"))
	words := map[string]int{}
	sc := bufio.NewScanner(strings.NewReader("the quick the lazy the dog"))
	sc.Split(bufio.ScanWords)
	for sc.Scan() {
		words[sc.Text()]++
	}
	fmt.Println(words)
	re := regexp.MustCompile(`(\w+)@(\w+)\.com`)
	fmt.Println(re.FindAllStringSubmatch("bob@ex.com, al@te.com", -1), re.ReplaceAllString("x@y.com", "$2 at $1"))
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "a\tbbb\tc")
	fmt.Fprintln(w, "aaaa\tb\tc")
	w.Flush()
	fmt.Printf("%5d|%-5s|%05.1f|%x|%v|%T|%p\n", 42, "ab", 3.14159, "hi", []string{"a"}, map[string]int{}, nil)
}
