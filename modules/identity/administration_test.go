package identity

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
)

// staff makes an account with a second factor and signs it in.
func (s *service) staff(t testing.TB, login string, grants ...Grant) (*browser, Person) {
	t.Helper()
	p := s.account(t, login, grants...)
	secret, _ := s.withFactor(t, p)
	b := s.browser(t)
	b.signIn(login, secret)
	return b, p
}

var (
	tenantAdministrator = Grant{Role: roleTenantAdministrator}
	approveForm         = regexp.MustCompile(`action="/identity(/changes/[^"]+/approve)"`)
	refuseForm          = regexp.MustCompile(`action="/identity(/changes/[^"]+/refuse)"`)
	credentialShown     = regexp.MustCompile(`<code class="secret"><bdi dir="ltr">([A-Z2-9-]+)</bdi>`)
)

// decide presses the one button of the list of changes.
func (b *browser) decide(form *regexp.Regexp) page {
	b.t.Helper()
	b.get("/changes")
	found := form.FindAllStringSubmatch(b.last.body, -1)
	if len(found) != 1 {
		b.t.Fatalf("%d forms %s\n%s", len(found), form, b.last.body)
	}
	return b.send(found[0][1])
}

func (b *browser) shownCredential() string {
	b.t.Helper()
	found := credentialShown.FindStringSubmatch(b.last.body)
	if found == nil {
		b.t.Fatalf("no credential is shown: %d\n%s", b.last.status, b.last.body)
	}
	return found[1]
}

// A new account gets a staff role by two administrators.
func TestTwoAdministratorsGiveARole(t *testing.T) {
	s := start(t)
	first, _ := s.staff(t, "a.admin", tenantAdministrator)
	second, _ := s.staff(t, "b.admin", tenantAdministrator)
	first.get("/people/new")
	first.send("", "login", "New Judge", "name", "", "court", "NOWHERE")
	first.mustShow(http.StatusUnprocessableEntity, `href="#login"`, `href="#name"`, `href="#court"`, `value="New Judge"`)
	first.send("", "login", "a.admin", "name", "N. Sample", "court", "")
	first.mustShow(http.StatusUnprocessableEntity, "There is an account of this login name")
	first.send("", "login", "new.judge", "name", "  N.\u202e  Sample ", "court", "RAM-SOLH")
	first.mustShow(http.StatusOK, "N. Sample")
	credential := first.shownCredential()
	judge, err := findPerson(t.Context(), s.pool, "login", "new.judge", s.now())
	if err != nil || judge.Name != "N. Sample" {
		t.Fatalf("%+v %v", judge, err)
	}
	path := "/people/" + judge.ID.String()
	first.get(path)
	for field, fields := range map[string][]string{
		"role":   {"role", "king", "court", "RAM-SOLH", "reason", "x"},
		"court":  {"role", "judge", "court", "NOWHERE", "reason", "x"},
		"until":  {"role", "judge", "court", "RAM-SOLH", "reason", "x", "until", "2020-01-01"},
		"for":    {"role", "judge", "court", "RAM-SOLH", "reason", "x", "until", "2099-01-01", "for", "nobody"},
		"reason": {"role", "judge", "court", "RAM-SOLH"},
	} {
		first.send(path+"/grants", fields...)
		first.mustShow(http.StatusUnprocessableEntity, `href="#`+field+`"`)
	}
	first.send(path+"/grants", "role", "judge", "court", "RAM-SOLH", "reason", "Appointed on 1 November")
	first.mustShow(http.StatusOK, "Waiting for a second administrator")
	if s.person(t, judge.ID).Grants.staff() {
		t.Fatal("one administrator gave a staff role")
	}
	first.get("/changes")
	if approveForm.MatchString(first.last.body) {
		t.Error("who proposed may approve")
	}
	waiting := refuseForm.FindStringSubmatch(first.last.body)[1]
	first.send(strings.Replace(waiting, "refuse", "approve", 1))
	first.mustShow(http.StatusForbidden)
	second.decide(approveForm)
	second.mustShow(http.StatusOK, "Nothing waits.")
	if !s.person(t, judge.ID).Grants.has("judge", "RAM-SOLH") {
		t.Error("the approved role is not there")
	}
	// The database refuses it, too, whatever a program does.
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO change (id, kind, person_id, role, court, reason, proposed_by, proposed_at, decided_by, decided_at, outcome, alone)
		SELECT gen_random_uuid(), 'recover', $1, '', '', 'x', id, now(), id, now(), 'approved', true FROM person WHERE login = 'a.admin'`, judge.ID); err == nil {
		t.Error("the database lets one administrator recover an account alone")
	}
	b := s.browser(t)
	b.get("/sign-in")
	b.send("", "login", "new.judge", "password", credential)
	b.mustShow(http.StatusOK, "Choose a password")
}

func TestRolesEnd(t *testing.T) {
	s := start(t)
	first, _ := s.staff(t, "a.admin", tenantAdministrator)
	second, _ := s.staff(t, "b.admin", tenantAdministrator)
	absent, judge := s.staff(t, "a.judge", Grant{Role: "judge", Court: "RAM-SOLH"})
	_, cover := s.staff(t, "c.judge", Grant{Role: "judge", Court: "RAM-BIDAYA"})
	path := "/people/" + cover.ID.String()
	first.get(path)
	first.send(path+"/grants", "role", "judge", "court", "RAM-SOLH", "reason", "Absence", "for", "a.judge")
	first.mustShow(http.StatusUnprocessableEntity, `href="#until"`)
	day := s.now().AddDate(0, 0, 7).Format(time.DateOnly)
	first.send(path+"/grants", "role", "judge", "court", "RAM-SOLH", "reason", "Absence", "for", "a.judge", "until", day)
	second.decide(approveForm)
	cover = s.person(t, cover.ID)
	if len(cover.Grants) != 2 || cover.Grants[1].For != judge.ID || cover.Grants[1].Until.IsZero() {
		t.Fatalf("grants = %+v", cover.Grants)
	}
	first.get(path)
	first.mustShow(http.StatusOK, "in place of")
	// Nobody stands in for somebody who stands in, nor for longer than the role lasts.
	_, clerk := s.staff(t, "a.clerk", Grant{Role: "clerk", Court: "RAM-SOLH", Until: s.now().AddDate(0, 0, 3)})
	first.send(path+"/grants", "role", "clerk", "court", "RAM-SOLH", "reason", "Absence", "for", clerk.Login, "until", day)
	first.mustShow(http.StatusUnprocessableEntity, `href="#until"`)
	path = "/people/" + clerk.ID.String()
	first.get(path)
	first.send(path+"/grants", "role", "judge", "court", "RAM-SOLH", "reason", "Absence", "for", "c.judge", "until", day)
	first.mustShow(http.StatusUnprocessableEntity, `href="#for"`)
	// When the absent judge loses the role, nobody covers it any more.
	first.get("/people/" + judge.ID.String() + "/end-grant?grant=" + judge.Grants[0].ID.String())
	first.mustShow(http.StatusOK, "A second administrator must approve")
	first.send("", "reason", "")
	first.mustShow(http.StatusUnprocessableEntity, `href="#reason"`)
	first.send("", "reason", "Retired")
	second.decide(approveForm)
	if len(s.person(t, judge.ID).Grants) != 0 || len(s.person(t, cover.ID).Grants) != 1 {
		t.Error("a role that was taken is still held")
	}
	absent.get("/")
	absent.mustShow(http.StatusOK, `autocomplete="username"`)
}

// Two administrators give an account back, and neither knows the credential.
func TestRecovery(t *testing.T) {
	s := start(t)
	first, _ := s.staff(t, "a.admin", tenantAdministrator)
	second, _ := s.staff(t, "b.admin", tenantAdministrator)
	own, judge := s.staff(t, "a.judge", Grant{Role: "judge", Court: "RAM-SOLH"})
	path := "/people/" + judge.ID.String() + "/recover"
	first.get(path)
	first.send("", "reason", "Lost the phone; came in person")
	half := first.shownCredential()
	first.get(path)
	first.send("", "reason", "Again")
	first.mustShow(http.StatusUnprocessableEntity, "waits already")
	own.get("/")
	own.mustShow(http.StatusOK, `id="sessions"`)
	second.decide(approveForm)
	rest := second.shownCredential()
	own.get("/")
	own.mustShow(http.StatusOK, `autocomplete="username"`)
	b := s.browser(t)
	b.get("/sign-in")
	for _, wrong := range []string{goodPassword, half, rest, rest + half} {
		b.send("", "login", "a.judge", "password", wrong)
		b.mustShow(http.StatusUnprocessableEntity)
	}
	b.send("", "login", "a.judge", "password", half+" "+rest)
	b.mustShow(http.StatusOK, "Choose a password")
	b.send("", "password", "another good password", "again", "another good password")
	b.mustShow(http.StatusOK, "Set up a second factor")
	if n := s.count(t, `SELECT count(*) FROM change WHERE first_half IS NOT NULL`); n != 0 {
		t.Error("half of a credential stays in the database")
	}
	if n := s.count(t, `SELECT count(*) FROM recovery_code WHERE person_id = $1`, judge.ID); n != 0 {
		t.Error("the former recovery codes stay")
	}
}

func TestShuttingAnAccount(t *testing.T) {
	s := start(t)
	admin, self := s.staff(t, "a.admin", tenantAdministrator)
	own, judge := s.staff(t, "a.judge", Grant{Role: "judge", Court: "RAM-SOLH"})
	admin.get("/people/" + judge.ID.String() + "/disable")
	admin.send("", "reason", "The phone was stolen")
	admin.mustShow(http.StatusOK, "Shut")
	own.get("/")
	own.mustShow(http.StatusOK, `autocomplete="username"`)
	own.send("", "login", "a.judge", "password", goodPassword)
	own.mustShow(http.StatusUnprocessableEntity)
	if len(s.ended(t, "").Ended) != 1 {
		t.Error("relying parties are not told")
	}
	admin.get("/people/" + judge.ID.String() + "/enable")
	admin.send("", "reason", "Found")
	if !s.person(t, judge.ID).Disabled {
		t.Error("one administrator opened a staff account")
	}
	admin.get("/people/" + self.ID.String() + "/disable")
	admin.mustShow(http.StatusForbidden)
}

func TestWhatCourtAdministratorsSee(t *testing.T) {
	s := start(t)
	court, _ := s.staff(t, "court.admin", Grant{Role: roleCourtAdministrator, Court: "RAM-SOLH"})
	clerk := s.account(t, "own.clerk", Grant{Role: "clerk", Court: "RAM-SOLH"})
	both := s.account(t, "both.clerk", Grant{Role: "clerk", Court: "RAM-SOLH"}, Grant{Role: "clerk", Court: "RAM-BIDAYA"})
	other := s.account(t, "other.clerk", Grant{Role: "clerk", Court: "RAM-BIDAYA"})
	tenant := s.account(t, "t.admin", tenantAdministrator)
	if _, err := s.pool.Exec(t.Context(), `UPDATE person SET home_court = 'RAM-SOLH' WHERE login IN ('own.clerk', 'both.clerk')`); err != nil {
		t.Fatal(err)
	}
	court.get("/people?q=clerk")
	court.mustShow(http.StatusOK, "own.clerk", "both.clerk")
	if strings.Contains(court.last.body, "other.clerk") {
		t.Error("a court administrator sees people of another court")
	}
	for _, hidden := range []Person{other, tenant} {
		for _, end := range []string{"", "/recover", "/disable"} {
			if got := court.get("/people/" + hidden.ID.String() + end); got.status != http.StatusNotFound {
				t.Errorf("%s%s: %d", hidden.Login, end, got.status)
			}
		}
	}
	court.get("/people/" + clerk.ID.String())
	court.mustShow(http.StatusOK, "/recover")
	if strings.Contains(court.last.body, `value="tenant-administrator"`) || strings.Contains(court.last.body, `value="RAM-BIDAYA"`) {
		t.Error("a court administrator may choose what is not theirs to give")
	}
	court.send("/people/"+clerk.ID.String()+"/grants", "role", "judge", "court", "RAM-BIDAYA", "reason", "x")
	court.mustShow(http.StatusUnprocessableEntity, `href="#court"`)
	// Somebody of two courts belongs to neither administrator as a whole.
	court.get("/people/" + both.ID.String() + "/recover")
	court.mustShow(http.StatusForbidden)
	if _, _, err := s.propose(t.Context(), court.who(t), Change{Kind: kindGrant, Person: clerk.ID, Grant: Grant{Role: "judge", Court: "RAM-BIDAYA"}, Reason: "x"}); !isForbidden(err) {
		t.Errorf("beyond the pages: %v", err)
	}
	// Those who administer nothing have no such pages.
	plain, _ := s.staff(t, "a.judge", Grant{Role: "judge", Court: "RAM-SOLH"})
	for _, path := range []string{"/people", "/people/new", "/changes", "/people/" + clerk.ID.String()} {
		if got := plain.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s for a judge: %d", path, got.status)
		}
	}
}

// who is the account of the browser's person.
func (b *browser) who(t testing.TB) Person {
	t.Helper()
	b.get("/")
	login := regexp.MustCompile(`<bdi dir="ltr">([a-z.]+)</bdi>`).FindStringSubmatch(b.last.body)
	p, err := findPerson(t.Context(), b.s.pool, "login", login[1], b.s.now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func isForbidden(err error) bool {
	var problem *kit.Problem
	return errors.As(err, &problem) && problem.Status == http.StatusForbidden
}

// An approval needs roles, time and another person, as they are when it is given.
func TestApprovalsAreLookedAtAnew(t *testing.T) {
	a := newTestApp(t)
	first := a.account(t, "a.admin", tenantAdministrator)
	second := a.account(t, "b.admin", tenantAdministrator)
	third := a.account(t, "c.admin", tenantAdministrator)
	judge := a.account(t, "a.judge")
	propose := func(c Change) uuid.UUID {
		t.Helper()
		c.Kind, c.Reason = kindGrant, "x"
		if done, _, err := a.propose(t.Context(), a.person(t, first.ID), c); err != nil || done {
			t.Fatalf("%v %v", done, err)
		}
		var id uuid.UUID
		if err := a.pool.QueryRow(t.Context(), `SELECT id FROM change WHERE outcome = 'waiting' ORDER BY proposed_at DESC LIMIT 1`).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	grant := Grant{Role: "judge", Court: "RAM-SOLH"}
	id := propose(Change{Person: judge.ID, Grant: grant})
	for _, who := range []Person{first, judge} {
		if _, err := a.decide(t.Context(), a.person(t, who.ID), id, true); !isForbidden(err) {
			t.Errorf("%s approves: %v", who.Login, err)
		}
	}
	if _, err := a.decide(t.Context(), second, id, false); err != nil {
		t.Fatal(err)
	}
	if _, err := a.decide(t.Context(), third, id, true); err == nil {
		t.Error("what was refused is approved")
	}
	// Too late.
	a.clock.pass(time.Second)
	id = propose(Change{Person: judge.ID, Grant: grant})
	a.clock.pass(changeLife + time.Second)
	if _, err := a.decide(t.Context(), second, id, true); !isForbidden(err) {
		t.Errorf("after a week: %v", err)
	}
	// About oneself.
	self := propose(Change{Person: second.ID, Grant: grant})
	if _, err := a.decide(t.Context(), second, self, true); !isForbidden(err) {
		t.Errorf("about oneself: %v", err)
	}
	// Who proposed it is an administrator no more.
	a.clock.pass(time.Second)
	id = propose(Change{Person: judge.ID, Grant: grant})
	if _, err := a.pool.Exec(t.Context(), `UPDATE person SET status = 'disabled' WHERE id = $1`, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.decide(t.Context(), third, id, true); !isForbidden(err) {
		t.Errorf("of somebody shut out: %v", err)
	}
	if a.person(t, judge.ID).Grants.staff() {
		t.Error("the role was given")
	}
}

// The first administrator appoints the second one alone, once; then it takes two.
func TestTheFirstAppointsTheSecond(t *testing.T) {
	a := newTestApp(t)
	first := a.account(t, "a.admin", tenantAdministrator)
	others := []Person{a.account(t, "b.admin"), a.account(t, "c.admin")}
	give := func(p Person, role, court string) bool {
		t.Helper()
		done, _, err := a.propose(t.Context(), first, Change{Kind: kindGrant, Person: p.ID, Grant: Grant{Role: role, Court: court}, Reason: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if give(others[0], "judge", "RAM-SOLH") {
		t.Error("the only administrator makes judges alone")
	}
	if !give(others[0], roleTenantAdministrator, "") {
		t.Error("there is never a second administrator")
	}
	if give(others[1], roleTenantAdministrator, "") {
		t.Error("the first administrator makes a third one alone")
	}
	if _, err := a.pool.Exec(t.Context(), `UPDATE role_grant SET ended_at = now() WHERE person_id = $1`, others[0].ID); err != nil {
		t.Fatal(err)
	}
	if give(others[1], roleTenantAdministrator, "") {
		t.Error("when the second one is gone the first is alone again")
	}
	if _, _, err := a.propose(t.Context(), first, Change{Kind: kindGrant, Person: first.ID, Grant: Grant{Role: "judge", Court: "RAM-SOLH"}, Reason: "x"}); !isForbidden(err) {
		t.Errorf("for oneself: %v", err)
	}
}
