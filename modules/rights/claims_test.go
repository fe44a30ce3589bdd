package rights

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const sub = `"sub":"` + me + `"`

func TestParseClaims(t *testing.T) {
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]Actor{
		`{` + sub + `}`: {Person: me},
		`{"iss":"https://id.example","exp":1,` + sub + `,"sid":"s1","name":"A. Sample","amr":["pwd","otp","mfa"],"nested":{"sub":"x"}}`: {Person: me, Session: "s1", MFA: true},
		`{` + sub + `,"amr":["pwd"],"ejustice_grants":[{"role":"clerk","court":"A"},{"role":"lawyer"},{"role":"party","court":""}]}`: {Person: me,
			Grants: []Grant{{Role: Clerk, Court: "A"}, {Role: Lawyer}, {Role: Party}}},
		`{` + sub + `,"ejustice_grants":[{"role":"judge","court":"A","until":"2026-12-01T00:00:00Z","for":"` + absent + `"}]}`: {Person: me,
			Grants: []Grant{{Role: Judge, Court: "A", Until: until, For: absent}}},
		// A newer role gives nothing, and neither do those that nobody is given.
		`{` + sub + `,"ejustice_grants":[{"role":"bailiff"},{"role":"anyone"},{"role":"service"},{"role":"Judge"},{"role":"clerk"}]}`: {Person: me, Grants: []Grant{{Role: Clerk}}},
		`{` + sub + `,"ejustice_grants":[]}`:                               {Person: me},
		`{` + sub + `,"ejustice_grants":null}`:                             {Person: me},
		`{` + sub + `,"EJUSTICE_GRANTS":[{"role":"judge"}],"Amr":["mfa"]}`: {Person: me},
		`{"sub":"ABCDEF00-0000-4000-8000-000000000001"}`:                   {Person: "abcdef00-0000-4000-8000-000000000001"},
	} {
		got, err := ParseClaims([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, %v; want\n%+v", text, got, err, want)
		}
	}
}

// Whatever could narrow, and is not understood, closes.
func TestParseClaimsRefuses(t *testing.T) {
	grant := func(text string) string { return `{` + sub + `,"ejustice_grants":[` + text + `]}` }
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{` + sub, `{` + sub + `}}`, `{` + sub + `} {}`,
		`{}`, `{"sub":null}`, `{"sub":""}`, `{"sub":"me"}`, `{"sub":1}`, `{"sub":"{` + me + `}"}`, `{"sub":"00000000-0000-0000-0000-000000000000"}`,
		`{` + sub + `,` + sub + `}`,
		`{` + sub + `,"ejustice_grants":[{"role":"clerk"}],"ejustice_grants":[{"role":"judge"}]}`,
		`{` + sub + `,"sid":1}`, `{` + sub + `,"sid":"` + strings.Repeat("s", maxSession+1) + `"}`,
		`{` + sub + `,"amr":"mfa"}`, `{` + sub + `,"amr":[1]}`,
		`{` + sub + `,"ejustice_grants":{}}`, `{` + sub + `,"ejustice_grants":"judge"}`,
		grant(`null`), grant(`"judge"`), grant(`{}`), grant(`{"court":"A"}`), grant(`{"role":null}`), grant(`{"role":1}`),
		grant(`{"role":"clerk","court":null}`), grant(`{"role":"clerk","court":["A"]}`), grant(`{"role":"clerk","court":"` + strings.Repeat("A", maxCourt+1) + `"}`),
		grant(`{"role":"clerk","until":null}`), grant(`{"role":"clerk","until":""}`), grant(`{"role":"clerk","until":"tomorrow"}`),
		grant(`{"role":"clerk","until":"2026-12-01"}`), grant(`{"role":"clerk","until":"0001-01-01T00:00:00Z"}`), grant(`{"role":"clerk","until":1}`),
		grant(`{"role":"clerk","for":"` + absent + `"}`), grant(`{"role":"clerk","for":"","until":"2026-12-01T00:00:00Z"}`),
		grant(`{"role":"clerk","only":"reading"}`), grant(`{"role":"clerk","Court":"A"}`), grant(`{"role":"clerk","role":"clerk"}`),
		grant(`{"role":"bailiff","until":"never"}`),
		grant(strings.Repeat(`{"role":"clerk"},`, maxGrants) + `{"role":"clerk"}`),
		`{` + sub + `,"x":"` + strings.Repeat("x", maxClaims) + `"}`,
	} {
		if a, err := ParseClaims([]byte(text)); err == nil || !reflect.DeepEqual(a, Actor{}) {
			t.Errorf("%.200s: %+v", text, a)
		} else if strings.Contains(err.Error(), me) || strings.Contains(err.Error(), "tomorrow") {
			t.Errorf("%.200s: the error repeats the token: %v", text, err)
		}
	}
}

// Whatever is read has only grants that mean what the token says: as many as
// it has or fewer, of known roles, delegations with an end; and the policies
// can be told of it.
func FuzzParseClaims(f *testing.F) {
	for _, seed := range []string{`{` + sub + `,"amr":["mfa"],"ejustice_grants":[{"role":"judge","court":"A"}]}`,
		`{` + sub + `,"ejustice_grants":[{"role":"lawyer","until":"2027-01-01T00:00:00+02:00","for":"` + absent + `"}]}`,
		`{` + sub + `,"ejustice_grants":[{"role":"x"}]}`, `{"sub":null}`, `{` + sub + `,"ejustice_grants":[{"role":"clerk","court":null}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := ParseClaims(text)
		if err != nil {
			return
		}
		var said map[string]json.RawMessage
		if err := json.Unmarshal(text, &said); err != nil {
			t.Fatalf("read, and encoding/json does not: %v", err)
		}
		var person string
		var list []map[string]string
		_ = json.Unmarshal(said["sub"], &person)
		_ = json.Unmarshal(said["ejustice_grants"], &list)
		if !strings.EqualFold(a.Person, person) || len(a.Grants) > len(list) || a.Service != "" {
			t.Fatalf("%+v of %s", a, text)
		}
		for _, g := range a.Grants {
			if !g.Role.granted() || g.For != "" && g.Until.IsZero() {
				t.Fatalf("grant %+v", g)
			}
			found := false
			for _, s := range list {
				found = found || s["role"] == g.Role.String() && s["court"] == g.Court && (s["until"] != "") == !g.Until.IsZero() && strings.EqualFold(s["for"], g.For)
			}
			if !found {
				t.Fatalf("grant %+v is not in %s", g, text)
			}
		}
		if _, err := Setting(&a, noon); err != nil {
			t.Fatal(err)
		}
	})
}

func ExampleParseClaims() {
	actor, err := ParseClaims([]byte(`{"sub":"00000000-0000-4000-8000-000000000001","sid":"s1","amr":["mfa"],"ejustice_grants":[{"role":"clerk","court":"SLUHC"}]}`))
	fmt.Println(actor.Grants[0].Role, actor.Grants[0].Court, actor.MFA, err)
	// Output: clerk SLUHC true <nil>
}
