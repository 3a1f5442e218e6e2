package model_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

func TestSites(t *testing.T) {
	doc, err := os.ReadFile("../SITES.md")
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ name, shape, families string }
	var table []row
	for line := range strings.Lines(string(doc)) {
		if f := strings.Split(line, "|"); len(f) == 6 && strings.Contains(f[1], "hook_") {
			clean := func(s string) string { return strings.Trim(s, " `") }
			table = append(table, row{clean(f[1]), clean(f[2]), clean(f[3])})
		}
	}
	for _, name := range lenstest.Names() {
		m := lenstest.Model(t, name)
		c := m.Config()
		size := map[string]int{"d_model": c.DModel, "n_heads": c.NHeads, "n_kv_heads": c.NKVHeads, "d_head": c.DHead, "d_mlp": c.DMLP, "S": model.Positions, "1": 1}
		has := func(r row) bool {
			switch {
			case r.families == "all but parallel gpt_neox":
				return !c.Parallel
			case r.families == "all":
				return true
			}
			if others, ok := strings.CutPrefix(r.families, "all but "); ok {
				return !slices.Contains(strings.Split(others, ", "), c.Family)
			}
			return slices.Contains(strings.Split(r.families, ", "), c.Family)
		}
		var want []model.Site
		add := func(r row, layer string) {
			if !has(r) {
				return
			}
			s := model.Site{Name: strings.ReplaceAll(r.name, "{l}", layer), Head: strings.HasPrefix(r.name, "ln_final")}
			for _, d := range strings.Split(strings.Trim(r.shape, "[]"), ", ") {
				s.Shape = append(s.Shape, size[d])
			}
			want = append(want, s)
		}
		for i, r := range table {
			if !strings.Contains(r.name, "{l}") {
				add(r, "")
			} else if !strings.Contains(table[i-1].name, "{l}") {
				for _, layer := range []string{"0", "1"} {
					for _, r := range table {
						if strings.Contains(r.name, "{l}") {
							add(r, layer)
						}
					}
				}
			}
		}
		got := m.Sites()
		if len(got) != len(want) {
			t.Fatalf("%s: %d sites, SITES.md has %d", name, len(got), len(want))
		}
		for i := range got {
			if got[i].Name != want[i].Name || !slices.Equal(got[i].Shape, want[i].Shape) || got[i].Head != want[i].Head {
				t.Errorf("%s: site %d is %+v, SITES.md has %+v", name, i, got[i], want[i])
			}
			if at, s, err := m.Site(got[i].Name); err != nil || at != i || s.Name != got[i].Name {
				t.Errorf("Site(%q) = %d, %v, %v", got[i].Name, at, s, err)
			}
		}
	}
}
