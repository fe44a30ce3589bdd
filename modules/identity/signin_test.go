package identity

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Whatever is wrong, the answer is the same and costs the same.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	s := start(t)
	s.account(t, "a.sample")
	disabled := s.account(t, "b.sample")
	if _, err := s.pool.Exec(t.Context(), `UPDATE person SET status = 'disabled' WHERE id = $1`, disabled.ID); err != nil {
		t.Fatal(err)
	}
	ran := s.account(t, "c.sample")
	if _, err := s.pool.Exec(t.Context(), `UPDATE person SET one_time_until = $2 WHERE id = $1`, ran.ID, s.now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	// All of them as long as one another, so that the whole page can be compared.
	for _, attempts := range []int{1, accountLimit.free, 1} { // the last one is paused
		var first page
		for _, login := range []string{"a.sample", "b.sample", "c.sample", "d.nobody"} {
			password := goodPassword
			if login == "a.sample" {
				password = "incorrect horse bat"
			}
			b := s.browser(t)
			// Every one from elsewhere.
			b.address = map[string]string{"a.sample": "192.0.2.1", "b.sample": "192.0.2.2", "c.sample": "192.0.2.3", "d.nobody": "192.0.2.4"}[login]
			b.get("/sign-in")
			before := s.hasher.computed.Load()
			var got page
			for range attempts {
				got = b.send("", "login", login, "password", password)
			}
			work := s.hasher.computed.Load() - before
			got.body = csrfField.ReplaceAllString(strings.ReplaceAll(got.body, login, "LOGIN"), "TOKEN")
			if first.body == "" {
				first = got
				first.header.Set("Work", strconv.FormatInt(work, 10))
				continue
			}
			if got.status != first.status || got.body != first.body || got.header.Get("Retry-After") != first.header.Get("Retry-After") ||
				strconv.FormatInt(work, 10) != first.header.Get("Work") {
				t.Errorf("%s after %d: status %d, %d hashes, want %d and %s\n%s", login, attempts, got.status, work, first.status, first.header.Get("Work"), got.body)
			}
		}
	}
}

func TestLockOut(t *testing.T) {
	s := start(t)
	s.account(t, "a.sample", Grant{Role: roleParty})
	b := s.browser(t)
	b.get("/sign-in")
	for range accountLimit.free {
		b.send("", "login", "a.sample", "password", "wrong")
		b.mustShow(http.StatusUnprocessableEntity, "<title>Error: Sign in", `value="a.sample"`, `href="#login"`, "autofocus", "not correct")
	}
	other := s.browser(t)
	other.address = "198.51.100.7"
	for _, who := range []*browser{b, other} {
		who.get("/sign-in")
		who.send("", "login", "a.sample", "password", goodPassword)
		who.mustShow(http.StatusTooManyRequests, "Too many attempts")
		if who.last.header.Get("Retry-After") != "30" {
			t.Errorf("Retry-After = %q", who.last.header.Get("Retry-After"))
		}
	}
	s.clock.pass(accountLimit.first)
	b.send("", "login", "a.sample", "password", goodPassword)
	b.mustShow(http.StatusOK, `id="sessions"`)
	// The count is forgiven.
	b = s.browser(t)
	b.get("/sign-in")
	for range accountLimit.free - 1 {
		b.send("", "login", "a.sample", "password", "wrong")
		b.mustShow(http.StatusUnprocessableEntity)
	}
}

func TestOneAddressTriesManyAccounts(t *testing.T) {
	s := start(t)
	s.account(t, "a.sample", Grant{Role: roleParty})
	b := s.browser(t)
	for range addressLimit.free {
		if err := addressLimit.attempt(t.Context(), s.pool, "192.0.2.1", s.now()); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/sign-in")
	b.send("", "login", "a.sample", "password", goodPassword)
	b.mustShow(http.StatusTooManyRequests)
	b.address = "192.0.2.2"
	b.send("", "login", "a.sample", "password", goodPassword)
	b.mustShow(http.StatusOK, `id="sessions"`)
}

func TestSecondFactorIsLimited(t *testing.T) {
	s := start(t)
	p := s.account(t, "a.clerk", Grant{Role: "clerk", Court: "RAM-SOLH"})
	secret, recovery := s.withFactor(t, p)
	b := s.browser(t)
	b.get("/sign-in")
	b.send("", "login", "a.clerk", "password", goodPassword)
	b.send("", "code", "")
	b.mustShow(http.StatusUnprocessableEntity, "Enter the code")
	for range factorLimit.free {
		b.send("", "code", "000000")
		b.mustShow(http.StatusUnprocessableEntity, "Error: Enter your code", "not correct")
	}
	b.send("", "code", codeOf(t, secret, s.now()))
	b.mustShow(http.StatusTooManyRequests)
	// The half-way session opens nothing.
	for _, path := range []string{"/", "/people", "/sign-in/password", "/sign-in/second-factor"} {
		b.get(path)
		b.mustShow(http.StatusOK, `autocomplete="one-time-code"`)
	}
	s.clock.pass(factorLimit.first)
	b.get("/sign-in/code")
	b.send("", "code", strings.ToLower(recovery[3]))
	b.mustShow(http.StatusOK, `id="sessions"`)
	// A sign-in that nobody finishes ends.
	b = s.browser(t)
	b.get("/sign-in")
	b.send("", "login", "a.clerk", "password", goodPassword)
	s.clock.pass(signInTime)
	b.get("/sign-in/code")
	b.mustShow(http.StatusOK, `autocomplete="username"`)
}

// The secret of a session changes with its strength: one that was planted before
// is worth nothing after.
func TestSessionSecretsChange(t *testing.T) {
	s := start(t)
	p := s.account(t, "a.clerk", Grant{Role: "clerk", Court: "RAM-SOLH"})
	secret, _ := s.withFactor(t, p)
	b := s.browser(t)
	b.get("/sign-in")
	b.send("", "login", "a.clerk", "password", goodPassword)
	cookie := func() string {
		for _, c := range b.http.Jar.Cookies(b.last.url) {
			if c.Name == sessionCookie {
				return c.Value
			}
		}
		return ""
	}
	before := cookie()
	b.send("", "code", codeOf(t, secret, s.now()))
	if after := cookie(); before == "" || after == "" || before == after {
		t.Errorf("the session's secret stays %q", after)
	}
}

// The first sign-in: a one-time credential, a password of one's own, a second
// factor, recovery codes.
func TestFirstSignIn(t *testing.T) {
	s := start(t)
	credential := newOneTime()
	p := Person{ID: uuid.New(), Login: "a.judge", Name: "A. Sample"}
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if err := s.addPerson(t.Context(), tx, p, credential); err != nil {
			return err
		}
		return addGrant(t.Context(), tx, p.ID, Grant{ID: uuid.New(), Role: "judge", Court: "RAM-SOLH"}, s.now())
	})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser(t)
	b.get("/sign-in")
	b.send("", "login", "a.judge", "password", strings.ToLower(credential))
	b.mustShow(http.StatusOK, "Choose a password")
	for password, again := range map[string]string{"short": "short", goodPassword: "different", "a.judge is my name": "a.judge is my name", credential: credential} {
		b.send("", "password", password, "again", again)
		b.mustShow(http.StatusUnprocessableEntity, "<title>Error: Choose a password")
		if strings.Contains(b.last.body, again) {
			t.Error("the page shows a password")
		}
	}
	b.get("/")
	b.mustShow(http.StatusOK, "Choose a password")
	b.send("", "password", goodPassword, "again", goodPassword)
	b.mustShow(http.StatusOK, "Set up a second factor", "data:image/png;base64,")
	secret := secretShown(t, b)
	b.send("", "code", "123")
	b.mustShow(http.StatusUnprocessableEntity, "Error:")
	if again := secretShown(t, b); again != secret {
		t.Error("a wrong code changes the secret: the app would have to be set up again")
	}
	if csp := b.last.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy = %s", csp)
	}
	b.send("", "code", codeOf(t, secret, s.now()))
	b.mustShow(http.StatusOK, "Your recovery codes")
	codes := regexp.MustCompile(`<bdi dir="ltr">([A-Z2-9]{4}(-[A-Z2-9]{4}){3})</bdi>`).FindAllStringSubmatch(b.last.body, -1)
	if len(codes) != recoveryCodes {
		t.Fatalf("%d recovery codes are shown", len(codes))
	}
	b.get("/sign-in/next")
	b.mustShow(http.StatusOK, `id="sessions"`, "Judge", "Ramallah Magistrates")
	b.get("/sign-in/second-factor")
	if strings.Contains(b.last.body, "data:image") {
		t.Error("somebody with a second factor may set up another one")
	}
	// Next time.
	b = s.browser(t)
	b.get("/sign-in")
	b.send("", "login", "a.judge", "password", credential)
	b.mustShow(http.StatusUnprocessableEntity)
	b.send("", "login", "a.judge", "password", goodPassword)
	b.send("", "code", codes[0][1])
	b.mustShow(http.StatusOK, `id="sessions"`)
}

func secretShown(t testing.TB, b *browser) string {
	t.Helper()
	found := regexp.MustCompile(`<bdi dir="ltr">([A-Z2-7]{4}(-[A-Z2-7]{4}){7})</bdi>`).FindStringSubmatch(b.last.body)
	if found == nil {
		t.Fatalf("no secret is shown\n%s", b.last.body)
	}
	return strings.ReplaceAll(found[1], "-", "")
}

func TestFormsNeedTheirToken(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b := s.browser(t)
	b.get("/sign-in")
	own := csrfField.FindStringSubmatch(b.last.body)[1]
	other := s.browser(t)
	other.get("/sign-in")
	for _, token := range []string{"", "x", strings.Repeat("A", 86), csrfField.FindStringSubmatch(other.last.body)[1]} {
		b.send("/sign-in", "csrf", token, "login", "a.party", "password", goodPassword)
		b.mustShow(http.StatusForbidden, "cannot be done")
	}
	b.get("/sign-in")
	if again := csrfField.FindStringSubmatch(b.last.body)[1]; again == own {
		t.Error("the token is the same on every page")
	}
	b.send("/sign-in", "csrf", own, "login", "a.party", "password", goodPassword)
	b.mustShow(http.StatusOK, `id="sessions"`)
	// A browser that says that a foreign site sends the form.
	r, _ := http.NewRequest(http.MethodPost, s.settings.Issuer+"/sign-out", strings.NewReader("csrf="+own))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := b.do(r); got.status != http.StatusForbidden {
		t.Errorf("a form of a foreign site: %d", got.status)
	}
}

func FuzzCSRF(f *testing.F) {
	v := &visitor{browser: newSecret()}
	f.Add(v.csrf())
	f.Add("")
	f.Add(strings.Repeat("A", 86))
	stranger := &visitor{browser: newSecret()}
	f.Fuzz(func(t *testing.T, token string) {
		if stranger.checkCSRF(token) {
			t.Errorf("%q is a stranger's token", token)
		}
	})
}

func TestMySessions(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	s.account(t, "b.party", Grant{Role: roleParty})
	one, two, other := s.browser(t), s.browser(t), s.browser(t)
	one.signIn("a.party", "")
	two.signIn("a.party", "")
	other.signIn("b.party", "")
	one.get("/")
	ends := regexp.MustCompile(`action="/identity(/sessions/[^"]+/end)"`).FindAllStringSubmatch(one.last.body, -1)
	if len(ends) != 1 {
		t.Fatalf("%d sessions can be ended, want the other one only", len(ends))
	}
	other.send(ends[0][1]) // somebody else's session
	two.get("/")
	two.mustShow(http.StatusOK, `id="sessions"`)
	one.send(ends[0][1])
	one.mustShow(http.StatusOK, `id="sessions"`)
	two.get("/")
	two.mustShow(http.StatusOK, `autocomplete="username"`)
	if n := len(s.ended(t, "").Ended); n != 1 {
		t.Errorf("%d ends are told", n)
	}
}

// Every page in every language, complete and without script or style of its own.
func TestPagesAreComplete(t *testing.T) {
	s := start(t)
	s.account(t, "some-party", Grant{Role: roleParty})
	b := s.browser(t)
	for _, path := range []string{"/sign-in", "/signed-out", "/", "/sign-in/second-factor", "/sign-out"} {
		if path == "/" {
			b.signIn("some-party", "")
		}
		for _, language := range []string{"en", "fr", "ar"} {
			got := b.get(path + "?lang=" + language)
			if got.status != http.StatusOK || !strings.Contains(got.body, `<html lang="`+language+`"`) || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s in %s: %d", path, language, got.status)
			}
			if strings.Contains(got.body, "<script") || strings.Contains(got.body, "style=") || regexp.MustCompile(`>[a-z]+(\.[a-z]+)+<`).MatchString(got.body) {
				t.Errorf("%s in %s has a script, a style or a text without words", path, language)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for header, want := range map[string]string{
		"": "203.0.113.9", "192.0.2.1": "192.0.2.1", "evil, 192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "2001:db8:1:2:9::9": "2001:db8:1:2::/64", "nonsense": "unknown",
	} {
		r, _ := http.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "203.0.113.9:1234"
		r.Header.Set("X-Forwarded-For", header)
		if got := addressOf(r); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestChangingThePassword(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b, other := s.browser(t), s.browser(t)
	b.signIn("a.party", "")
	other.signIn("a.party", "")
	const better = "another good password"
	b.get("/password")
	for field, fields := range map[string][]string{
		"current":  {"current", "wrong", "password", better, "again", better},
		"again":    {"current", goodPassword, "password", better, "again", "x"},
		"password": {"current", goodPassword, "password", goodPassword, "again", goodPassword},
	} {
		b.send("/password", fields...)
		b.mustShow(http.StatusUnprocessableEntity, `href="#`+field+`"`)
	}
	for range accountLimit.free {
		b.send("/password", "current", "wrong", "password", better, "again", better)
	}
	b.send("/password", "current", goodPassword, "password", better, "again", better)
	b.mustShow(http.StatusTooManyRequests)
	s.clock.pass(accountLimit.longest)
	b.send("/password", "current", goodPassword, "password", better, "again", better)
	b.mustShow(http.StatusOK, `id="sessions"`)
	other.get("/")
	other.mustShow(http.StatusOK, `autocomplete="username"`)
	other.send("", "login", "a.party", "password", goodPassword)
	other.mustShow(http.StatusUnprocessableEntity)
	other.send("", "login", "a.party", "password", better)
	other.mustShow(http.StatusOK, `id="sessions"`)
}

// What has run out goes, what is in use stays.
func TestForgetting(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	party := s.relying(t, "casemanagement", redirect, caseName)
	b := s.browser(t)
	b.signIn("a.party", "")
	tokens := s.tokens(t, b, party)
	s.browser(t).get("/authorize?client_id=casemanagement") // nothing is stored of nonsense
	rows := func() (n int) {
		t.Helper()
		for _, table := range []string{"session", "access_token", "refresh_token", "auth_request"} {
			n += s.count(t, `SELECT count(*) FROM `+table)
		}
		return n
	}
	if err := s.forget(t.Context()); err != nil || rows() != 4 {
		t.Fatalf("%v, %d rows", err, rows())
	}
	s.clock.pass(20 * time.Minute)
	if _, err := s.refresh(t, party, tokens.RefreshToken); err != nil {
		t.Fatal(err)
	}
	for range 4 { // each round may need the one before
		s.clock.pass(8 * time.Hour)
		if err := s.forget(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := rows() + s.count(t, `SELECT count(*) FROM session_end`) + s.count(t, `SELECT count(*) FROM throttle`); n != 0 {
		t.Errorf("%d rows stay for ever", n)
	}
}

// Who finds a browser that somebody left signed in cannot make it their own.
func TestFactorsNeedAFreshSignIn(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b := s.browser(t)
	b.signIn("a.party", "")
	b.get("/sign-in/second-factor")
	b.mustShow(http.StatusOK, "data:image/png")
	secret := secretShown(t, b)
	s.clock.pass(signInTime)
	b.send("", "code", codeOf(t, secret, s.now()))
	b.mustShow(http.StatusOK, `autocomplete="username"`)
	b.send("", "login", "a.party", "password", goodPassword)
	b.mustShow(http.StatusOK, `id="sessions"`)
	b.get("/sign-in/second-factor")
	b.send("", "code", codeOf(t, secretShown(t, b), s.now()))
	b.mustShow(http.StatusOK, "Your recovery codes")
	b.get("/passkeys/new")
	b.asked()
	s.clock.pass(signInTime)
	b.get("/passkeys/new")
	b.mustShow(http.StatusOK, `autocomplete="username"`)
	b.get("/")
	b.send("/passkeys/new", "credential", "{}")
	b.mustShow(http.StatusForbidden)
}
