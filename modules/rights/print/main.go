// Command print writes docs/rights.md; its one argument is where to.
package main

import (
	"fmt"
	"os"

	"ejustice.dev/operator/modules/rights"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: print FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(rights.Document()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
