package deploy

import (
	"os"
	"regexp"
	"testing"
)

// TestPageNamesOnlyFilesThatAreThere holds the page's paths to the repository.
func TestPageNamesOnlyFilesThatAreThere(t *testing.T) {
	page := text(t, "README.md")
	paths := regexp.MustCompile(`\bscripts/[\w./-]*\w`).FindAllString(page, -1)
	if len(paths) < 12 {
		t.Fatalf("got %d paths in the page, want all of them", len(paths))
	}
	for _, path := range paths {
		if _, err := os.Stat("../../" + path); err != nil {
			t.Errorf("the page names %s: %v", path, err)
		}
	}
}
