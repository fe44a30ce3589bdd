package rights

import (
	"os"
	"strings"
	"testing"
)

func TestTheDocsAreCurrent(t *testing.T) {
	text, err := os.ReadFile("../../docs/rights.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Document() {
		t.Error("docs/rights.md is not what the table says: run go generate ./modules/rights")
	}
}

// Every word is explained, every role has its part, and what it says of some
// well-known rights is right.
func TestTheDocsSayWhatTheTableSays(t *testing.T) {
	text := Document()
	for _, list := range []words{reachWords, relationWords, sealingWords, actionWords, groupWords, needWords} {
		for _, w := range list[1:] {
			if w.meaning == "" || !strings.Contains(text, "| `"+w.code+"` | "+w.meaning+" |") {
				t.Errorf("%s is not explained", w.code)
			}
		}
	}
	section := func(role Role) string {
		_, after, _ := strings.Cut(text, "## What a role may do: "+role.String()+"\n")
		before, _, _ := strings.Cut(after, "\n## ")
		return before
	}
	for role, want := range map[Role]string{
		Anyone:             "| open the case | bare | yes | – | – | – |",
		Registrar:          "| seal a case or a document | bare, documents | on a judge's order | on a judge's order | with a reason, on a judge's order | if named, with a reason, on a judge's order |",
		Clerk:              "| open the case | bare, parties, documents, evidence, fees | yes | yes | with a reason | if named, with a reason |",
		Judge:              "| open the case | notes-of-the-judge | if assigned or named | if assigned or named | if assigned or named, with a reason | if named, with a reason |",
		Lawyer:             "| read a document, redacted where a redacted version exists | documents | if counsel or named | if counsel or named | if counsel or named | if named |",
		Party:              "unless somebody is protected |",
		Auditor:            "| take the trace away with its proof | trace | with a reason | with a reason | with a reason | with a reason |",
		CourtAdministrator: "Where the role was given for the court that has the case:",
		Service:            "| receive the events that other modules are told | bare | yes | – | – | – |",
	} {
		if !strings.Contains(section(role), want) {
			t.Errorf("%s: lacks %s", role, want)
		}
	}
}
