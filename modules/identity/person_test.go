package identity

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
)

func TestCleanLogin(t *testing.T) {
	for text, want := range map[string]string{
		"a.sample": "a.sample", "  A.Sample ": "a.sample", "clerk٤٢": "clerk42", "ｃｌｅｒｋ": "clerk",
		"ab": "", "a b c": "", "a@b.c": "", "": "", "аdmin": "", strings.Repeat("a", 65): "", "a\x00bc": "",
	} {
		got, ok := cleanLogin(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("cleanLogin(%q) = %q %v, want %q", text, got, ok, want)
		}
	}
}

func TestCleanCode(t *testing.T) {
	for text, want := range map[string]string{
		"123 456": "123456", "١٢٣ ٤٥٦": "123456", "۱۲۳-۴۵۶": "123456", "abcd-efgh‑ijkl": "ABCDEFGHIJKL", "\u2068123456\u2069": "123456",
	} {
		if got := cleanCode(text); got != want {
			t.Errorf("cleanCode(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNewPasswords(t *testing.T) {
	for password, want := range map[string]string{
		goodPassword: "", "short": "short", strings.Repeat("abcde", 26): "long", "aaaaaaaaaaaaaaaa": "guessable", "my a.sample word": "guessable",
		"كلمة سر طويلة": "",
	} {
		if got := passwordFault(password, "a.sample"); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}

func TestVerifyPassword(t *testing.T) {
	a := newTestApp(t)
	p := a.account(t, "a.sample")
	disabled := a.account(t, "b.sample")
	if _, err := a.pool.Exec(t.Context(), `UPDATE person SET status = 'disabled' WHERE id = $1`, disabled.ID); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		login, password string
		right           bool
	}{
		{"a.sample", goodPassword, true},
		{"a.sample", "wrong", false},
		{"nobody", goodPassword, false},
		{"b.sample", goodPassword, false},
		{"", "", false},
	} {
		before := a.hasher.computed.Load()
		got, right, err := a.verifyPassword(t.Context(), test.login, test.password)
		if err != nil || right != test.right || right && got.ID != p.ID {
			t.Errorf("%s: %v %v", test.login, right, err)
		}
		if work := a.hasher.computed.Load() - before; work != 1 {
			t.Errorf("%q took %d hashes, want 1 whether there is an account or not", test.login, work)
		}
	}
}

func TestOneTimeCredential(t *testing.T) {
	a := newTestApp(t)
	credential := newOneTime()
	p := Person{ID: uuid.New(), Login: "a.sample", Name: "A. Sample"}
	add := func(p Person) error {
		return pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return a.addPerson(t.Context(), tx, p, credential) })
	}
	if err := add(p); err != nil {
		t.Fatal(err)
	}
	if err := add(Person{ID: uuid.New(), Login: "a.sample", Name: "B. Sample"}); !errors.Is(err, errLoginTaken) {
		t.Errorf("a second account of the name: %v", err)
	}
	typed := strings.ToLower(strings.ReplaceAll(credential, "-", " "))
	if got, right, err := a.verifyPassword(t.Context(), "a.sample", typed); err != nil || !right || !got.oneTime() {
		t.Errorf("as typed: %v %v", right, err)
	}
	a.clock.pass(oneTimeLife)
	if _, right, _ := a.verifyPassword(t.Context(), "a.sample", credential); right {
		t.Error("a one-time credential never ends")
	}
	if err := a.setPassword(t.Context(), p.ID, goodPassword); err != nil {
		t.Fatal(err)
	}
	if got := a.person(t, p.ID); got.oneTime() {
		t.Error("a chosen password counts as one-time")
	}
	if _, right, _ := a.verifyPassword(t.Context(), "a.sample", credential); right {
		t.Error("the one-time credential works after its use")
	}
}

func TestSecondFactor(t *testing.T) {
	a := newTestApp(t)
	p := a.account(t, "a.sample")
	other := a.account(t, "b.sample")
	secret, recovery := a.withFactor(t, p)
	code := codeOf(t, secret, a.now())
	if right, err := a.verifyTOTP(t.Context(), other.ID, code); err != nil || right {
		t.Errorf("somebody without a factor: %v %v", right, err)
	}
	if right, err := a.verifyTOTP(t.Context(), p.ID, code); err != nil || !right {
		t.Errorf("the code: %v %v", right, err)
	}
	if right, _ := a.verifyTOTP(t.Context(), p.ID, code); right {
		t.Error("a code works twice")
	}
	for after, want := range map[time.Duration]bool{-90 * time.Second: false, 30 * time.Second: true, 5 * time.Minute: false} {
		if right, _ := a.verifyTOTP(t.Context(), p.ID, codeOf(t, secret, a.now().Add(after))); right != want {
			t.Errorf("the code of %s later: %v", after, right)
		}
	}
	if len(recovery) != recoveryCodes {
		t.Fatalf("%d recovery codes", len(recovery))
	}
	first := cleanCode(strings.ToLower(recovery[0]))
	for i, want := range []bool{true, false} {
		if right, err := a.useRecoveryCode(t.Context(), p.ID, first); err != nil || right != want {
			t.Errorf("use %d of a recovery code: %v %v", i+1, right, err)
		}
	}
	if right, _ := a.useRecoveryCode(t.Context(), other.ID, cleanCode(recovery[1])); right {
		t.Error("a recovery code of somebody else works")
	}
	var stored []byte
	if err := a.pool.QueryRow(t.Context(), `SELECT totp_secret FROM person WHERE id = $1`, p.ID).Scan(&stored); err != nil || strings.Contains(string(stored), secret) {
		t.Errorf("the secret is stored readable (%v)", err)
	}
	// One person's secret put into another's row is worth nothing.
	if _, err := a.pool.Exec(t.Context(), `UPDATE person SET (totp_secret, totp_key_id) = (SELECT totp_secret, totp_key_id FROM person WHERE id = $1) WHERE id = $2`, p.ID, other.ID); err != nil {
		t.Fatal(err)
	}
	if right, err := a.verifyTOTP(t.Context(), other.ID, codeOf(t, secret, a.now())); err == nil || right {
		t.Error("a second factor was moved to another person")
	}
}

// The vectors of RFC 6238, appendix B, cut to six digits.
func TestTOTPVectors(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"} {
		if step, right := totpStep(secret, code, time.Unix(at, 0)); !right || step != at/30 {
			t.Errorf("at %d: %d %v", at, step, right)
		}
	}
}

func TestGrants(t *testing.T) {
	a := newTestApp(t)
	p := a.account(t, "a.sample",
		Grant{Role: "judge", Court: "RAM-SOLH"},
		Grant{Role: "clerk", Court: "RAM-BIDAYA", Until: a.now().Add(time.Hour)},
		Grant{Role: roleLawyer})
	if !p.Grants.staff() || len(p.Grants) != 3 || !p.Grants.has("judge", "RAM-SOLH") || p.Grants.has("judge", "RAM-BIDAYA") {
		t.Errorf("grants = %+v", p.Grants)
	}
	if weak := p.Grants.withStrength([]string{amrPassword}); len(weak) != 1 || weak[0].Role != roleLawyer {
		t.Errorf("by a password alone: %+v", weak)
	}
	a.clock.pass(time.Hour)
	if p = a.person(t, p.ID); len(p.Grants) != 2 {
		t.Errorf("after its end a role is still there: %+v", p.Grants)
	}
	for _, statement := range []string{
		`DELETE FROM role_grant`, `UPDATE role_grant SET role = 'auditor'`, `UPDATE role_grant SET until = now()`,
		`INSERT INTO role_grant (id, person_id, role, court, granted_at) SELECT id, id, 'tenant-administrator', 'RAM-SOLH', now() FROM person`,
	} {
		if _, err := a.pool.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s is allowed", statement)
		}
	}
}

func TestWhoMayGiveWhat(t *testing.T) {
	tenant := Grants{{Role: roleTenantAdministrator}}
	court := Grants{{Role: roleCourtAdministrator, Court: "RAM-SOLH"}}
	clerk := Grants{{Role: "clerk", Court: "RAM-SOLH"}}
	for _, test := range []struct {
		who         Grants
		role, court string
		want        bool
	}{
		{tenant, "judge", "RAM-SOLH", true}, {tenant, roleTenantAdministrator, "", true}, {tenant, "auditor", "", true},
		{court, "judge", "RAM-SOLH", true}, {court, "judge", "RAM-BIDAYA", false}, {court, "judge", "", false},
		{court, roleCourtAdministrator, "RAM-SOLH", false}, {court, roleTenantAdministrator, "", false},
		{clerk, "clerk", "RAM-SOLH", false}, {nil, roleParty, "", false},
	} {
		if got := test.who.mayGive(test.role, test.court); got != test.want {
			t.Errorf("%v gives %s of %q: %v", test.who, test.role, test.court, got)
		}
	}
}

func TestAttemptsArePaused(t *testing.T) {
	a := newTestApp(t)
	l := limit{"test", 3, time.Minute, 4 * time.Minute, time.Hour}
	attempt := func() time.Duration {
		err := l.attempt(t.Context(), a.pool, "somebody", a.now())
		var pause blocked
		switch {
		case errors.As(err, &pause):
			return pause.until.Sub(a.now())
		case err != nil:
			t.Fatal(err)
		}
		return 0
	}
	for i := range 3 {
		if pause := attempt(); pause != 0 {
			t.Fatalf("attempt %d pauses for %s", i+1, pause)
		}
	}
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute} {
		if pause := attempt(); pause != want {
			t.Errorf("pause = %s, want %s", pause, want)
		}
		if err := l.attempt(t.Context(), a.pool, "somebody else", a.now()); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		if err := l.forgive(t.Context(), a.pool, "somebody else"); err != nil {
			t.Fatal(err)
		}
		a.clock.pass(want)
		if pause := attempt(); pause != 0 {
			t.Errorf("after the pause: %s", pause)
		}
	}
	// What is long ago is forgotten.
	a.clock.pass(24 * time.Hour)
	for i := range 3 {
		if pause := attempt(); pause != 0 {
			t.Errorf("attempt %d of the next day pauses for %s", i+1, pause)
		}
	}
}

// Many attempts at once are as few as one after the other.
func TestAttemptsAtOnce(t *testing.T) {
	a := newTestApp(t)
	var mu sync.Mutex
	allowed := 0
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if accountLimit.attempt(t.Context(), a.pool, "somebody", a.now()) == nil {
				mu.Lock()
				defer mu.Unlock()
				allowed++
			}
		})
	}
	all.Wait()
	if allowed != accountLimit.free {
		t.Errorf("%d of 30 attempts were allowed, want %d", allowed, accountLimit.free)
	}
}

// Attempts far enough apart never add up.
func TestAttemptsLeak(t *testing.T) {
	a := newTestApp(t)
	l := limit{"test", 3, time.Minute, 4 * time.Minute, 10 * time.Minute}
	for i := range 20 {
		if err := l.attempt(t.Context(), a.pool, "an office", a.now()); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
		a.clock.pass(l.leak)
	}
	for i, allowed := range []bool{true, true, true, false} {
		if err := l.attempt(t.Context(), a.pool, "an office", a.now()); (err == nil) != allowed {
			t.Errorf("attempt %d at twenty times the pace: %v", i, err)
		}
		a.clock.pass(l.leak / 20)
	}
}

// An authenticator app reads the picture's address as it was meant.
func TestTOTPAddress(t *testing.T) {
	secret := newTOTPSecret()
	key, err := otp.NewKeyFromURL(totpAddress(secret, "courts.example.ps", "a.sample"))
	if err != nil || key.Secret() != secret || key.Issuer() != "courts.example.ps" || key.AccountName() != "a.sample" || key.Type() != "totp" || key.Period() != 30 || key.Digits() != 6 {
		t.Errorf("%+v %v", key, err)
	}
}
