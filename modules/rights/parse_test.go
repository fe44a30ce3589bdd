package rights

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

// roleLines describe all roles, so that a test need only add rules.
func roleLines() string {
	var b strings.Builder
	for line := range strings.Lines(string(rulesText)) {
		if strings.HasPrefix(line, "role,") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestParseRefusesWithTheLine(t *testing.T) {
	const good = "may,clerk,own,any,public,case.read,parties,\n"
	for text, want := range map[string]string{
		"can,clerk,own,any,public,case.read,bare,\n":                                       "line 12: must begin with",
		good + "may,clerk,own,any,public,case.read,bare\n":                                 "line 13: a may line has 8 cells, this one has 7",
		"never,clerk,own,any,public,case.read,bare,reason\n":                               "line 12: a never line has 7 cells",
		"# a comment\n\n" + "may,clerc,own,any,public,case.read,bare,\n":                   `line 14: "clerc" is not one of: anyone, registrar`,
		"may,clerk,here,any,public,case.read,bare,\n":                                      `"here" is not one of: own, tenant`,
		"may,clerk,own,friend,public,case.read,bare,\n":                                    `"friend" is not one of`,
		"may,clerk,own,any,secret,case.read,bare,\n":                                       `"secret" is not one of`,
		"may,clerk,own,any,public,case.reed,bare,\n":                                       `"case.reed" is not one of`,
		"may,clerk,own,any,public,case.read,all,\n":                                        `"all" is not one of`,
		"may,clerk,own,any,public,case.read,bare,any\n":                                    `"any" is not one of: reason`,
		"may,,own,any,public,case.read,bare,\n":                                            `"" is not one of`,
		"may,clerk  judge,own,any,public,case.read,bare,\n":                                `"" is not one of`,
		"may,clerk any,own,any,public,case.read,bare,\n":                                   `"any" is not one of`,
		"may,clerk clerk,own,any,public,case.read,bare,\n":                                 "says clerk twice",
		"may,Clerk,own,any,public,case.read,bare,\n":                                       `"Clerk" is not one of`,
		"may," + strings.Repeat("x", 1000) + ",own,any,public,case.read,bare,\n":           "is not one of",
		"may,clerk,own,any,public,case.list,documents,\n":                                  "can never match: case.list is not about any",
		"may,clerk,own,any,public,case.list case.read,bare trace,\n":                       "can never match: none of these actions is about trace",
		"may,anyone,own,any,public,case.list,bare,\n":                                      "can never match: anyone is held for the whole tenant",
		"may,service,tenant,party,public,feed.read,bare,\n":                                "can never match: service has no relation",
		"never,any,any,excluded,any,any,any\nmay,clerk,own,excluded,any,case.read,bare,\n": "line 13: can never match: other lines refuse all",
		"may,clerk,own,party,any,case.read,bare,\nnever,clerk,own,party,any,any,any\n":     "line 12: can never match: other lines refuse all",
		good + good: "line 13: says nothing that other lines do not say already",
		good + "may,clerk judge,own,any,public,case.read,parties bare,\n":           "line 12: says nothing",
		good + "may,clerk,own,any,public,case.read,parties,reason\n":                "line 13: says nothing",
		"never,clerk,own,party,any,any,any\nnever,clerk,own,party,public,any,any\n": "line 13: says nothing",
		"role,clerk,staff,nobody,Again.\n":                                          "the role clerk is described twice",
		"role,bailiff,staff,nobody,Serves.\n":                                       `"bailiff" is not one of`,
		"apart,auditor,auditor\n":                                                   "cannot be apart from itself",
		"apart,auditor,anyone\n":                                                    "anyone is no role that a person is given",
		"apart,anyone,auditor\n":                                                    "is not one of",
		"apart,auditor,clerk\napart,auditor,judge\n":                                "line 13: there is an apart line for auditor already",
		"may,\"clerk,own,any,public,case.read,bare,\n":                              "on line 12",
		strings.Repeat("never,clerk,own,party,any,any,any\n", maxLines):             "more than 500 lines",
		"# \xff\n":                          "is not UTF-8",
		"#" + strings.Repeat("x", maxTable): "more than 1048576 bytes",
	} {
		if _, err := parse([]byte(roleLines() + text)); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 700 {
			t.Errorf("%.300s: error %v, want %s", text, err, want)
		}
	}
	if _, err := parse([]byte(roleLines() + good)); err != nil {
		t.Errorf("a good line: %v", err)
	}
}

func TestParseRefusesRolesThatAreNotDescribedWell(t *testing.T) {
	for old, text := range map[string]string{
		"role,clerk,staff,clerk registrar,":           "",
		"role,judge,staff,judge,":                     "role,judge,insider,judge,",
		"role,anyone,all,nobody,":                     "role,anyone,outside,nobody,",
		"role,service,program,nobody,":                "role,service,staff,nobody,",
		"role,lawyer,outside,lawyer,":                 "role,lawyer,all,lawyer,",
		"role,prosecutor,staff,prosecutor,":           "role,prosecutor,staff,service,",
		"role,party,outside,nobody,":                  "role,party,outside,any,",
		"role,auditor,staff,nobody,":                  "role,auditor,staff,,",
		"role,registrar,staff,registrar clerk,":       "role,registrar,staff,registrar clerk,\" \"\n#",
		"role,tenant-administrator,staff,nobody,\"Lo": "role,tenant-administrator,staff,nobody,,\"Lo",
	} {
		lines := roleLines()
		if !strings.Contains(lines, old) {
			t.Fatalf("%s is not there any more", old)
		}
		if text == "" {
			text = "#"
		}
		if _, err := parse([]byte(strings.Replace(lines, old, text, 1))); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// Whatever is accepted comes out the same when it is written and read again,
// and refuses what nobody gave.
func FuzzParse(f *testing.F) {
	roles := roleLines() // what follows them is tried
	f.Add("may,clerk,own,any,public,case.read,bare,\n")
	f.Add("never,any,any,excluded,any,any,any\n# c\n\"may\",lawyer,own tenant,counsel,sealed,document.read,documents,reason order\n")
	f.Add("apart,auditor,clerk judge\nmay,judge,any,none,any,trace.read,trace,unprotected\n")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := parse([]byte(roles + text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		b.WriteString(roles)
		w := csv.NewWriter(&b)
		for _, l := range first.lines {
			if err := w.Write(l.cells); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		second, err := parse(b.Bytes())
		if err != nil || !slices.Equal(first.cells, second.cells) {
			t.Fatalf("read again: %v\n%s", err, b.String())
		}
		a := &Actor{Person: me, MFA: true, Grants: []Grant{{Role: Clerk, Court: "B"}}}
		r := &Record{Case: theCase, Court: "A", Sealing: PartiesOnly}
		if d := first.decide(a, CaseRead, Documents, r, noon); d.Allowed && d.As.Role != Anyone {
			t.Fatalf("a role for another court gives %+v", d)
		}
	})
}

// Which roles need a second factor, who may stand in and what stands apart is
// written down here a second time.
func TestTheRolesAreWhatIsExpected(t *testing.T) {
	for role, want := range map[Role]struct{ kind, cover, voids string }{
		Anyone:              {"all", "", ""},
		Registrar:           {"staff", "registrar clerk", ""},
		Clerk:               {"staff", "registrar clerk", ""},
		Judge:               {"staff", "judge", ""},
		Prosecutor:          {"staff", "prosecutor", ""},
		Lawyer:              {"outside", "lawyer", ""},
		Party:               {"outside", "", ""},
		Auditor:             {"staff", "", "registrar clerk judge prosecutor court-administrator tenant-administrator"},
		CourtAdministrator:  {"staff", "court-administrator", "registrar clerk judge prosecutor"},
		TenantAdministrator: {"staff", "", "registrar clerk judge prosecutor"},
		Service:             {"program", "", ""},
	} {
		r := standard.roles[role]
		if r.kind != want.kind || strings.Join(r.cover.codes(), " ") != want.cover || strings.Join(r.voids.codes(), " ") != want.voids {
			t.Errorf("%s: %s, %v, %v", role, r.kind, r.cover.codes(), r.voids.codes())
		}
	}
	weak := *standard
	weak.roles[Judge].kind = "outside"
	found := false
	situations(func(s situation) bool {
		found = s.role == Judge && !s.mfa && broken(&weak, s) != ""
		return !found
	})
	if !found {
		t.Error("no promise is broken by a judge who needs no second factor")
	}
}
