// Package golden compares what tests get with files that hold what a person has read and found right.
package golden

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Compare fails the test where got is not what the file of that name in the package's testdata holds. With
// UPDATE=1 in the environment it writes the file first.
func Compare[T ~string | ~[]byte](t *testing.T, name string, got T) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); make golden writes it anew:\n%s", path, diff)
	}
}
