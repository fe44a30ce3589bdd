package procedure_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// countryDocuments are the shipped documents by file name.
func countryDocuments(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("countries/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		documents[filepath.Base(name)] = string(text)
	}
	return documents
}

func sortedNames(documents map[string]string) []string {
	var names []string
	for name := range documents {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
