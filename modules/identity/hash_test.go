package identity

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ejustice.dev/operator/modules/kit"
)

func TestPasswordHashes(t *testing.T) {
	h, err := newHasher()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := h.hash(t.Context(), "correct horse é")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored = %s", stored)
	}
	for password, want := range map[string]bool{
		"correct horse é": true, "correct horse e\u0301": true, "Correct horse é": false, "": false,
	} {
		if got, err := h.verify(t.Context(), stored, password); err != nil || got != want {
			t.Errorf("%q: %v %v", password, got, err)
		}
	}
	// The example of github.com/P-H-C/phc-winner-argon2, computed by another
	// program: echo -n "password" | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32.
	const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if got, err := h.verify(t.Context(), known, "password"); err != nil || !got {
		t.Errorf("the known hash: %v %v", got, err)
	}
}

// More sign-ins than there is memory for wait, and give up in the end.
func TestHashesAreBoundedByMemory(t *testing.T) {
	h, err := newHasher()
	if err != nil {
		t.Fatal(err)
	}
	if !h.memory.TryAcquire(hashMemory) {
		t.Fatal("the memory of a finished hash is not given back")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var problem *kit.Problem
	if _, err := h.hash(ctx, "x"); !errors.As(err, &problem) || problem.Status != 503 {
		t.Errorf("error = %v", err)
	}
	if h.computed.Load() != 0 {
		t.Error("a hash was computed without memory")
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=9999999,t=99,p=9$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=4294967296,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPd")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, salt, key, err := parsePHC(text)
		if err != nil {
			return
		}
		if p.memory > hashMemory || p.memory < 8*p.threads || p.time < 1 || p.time > 99 || p.threads < 1 || len(salt) < 8 || len(key) < 16 {
			t.Errorf("accepted %q", text)
		}
		if again := formatPHC(p, salt, key); again != text {
			t.Errorf("%q is read as %q", text, again)
		}
	})
}
