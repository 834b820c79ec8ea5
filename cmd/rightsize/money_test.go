package main

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// docs/prices.md shows the file that a script reads, and what the script pins.
func TestPricesAreDocumented(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "testdata", "scripts", "money.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	doc, shown := readDoc(t, "docs", "prices.md"), 0
	for _, f := range archive.Files {
		if f.Name != "prices.yaml" && f.Name != "money.txt" {
			continue
		}
		shown++
		if !strings.Contains(doc, "\n"+string(f.Data)+"```") {
			t.Errorf("docs/prices.md does not show %s, which is now:\n%s", f.Name, f.Data)
		}
	}
	if shown != 2 {
		t.Errorf("the script has %d of the 2 files that docs/prices.md shows", shown)
	}
}
