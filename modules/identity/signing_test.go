package identity

import (
	"slices"
	"testing"
	"time"
)

func TestSigningKeysRotate(t *testing.T) {
	a := newTestApp(t)
	ids := func() (signing string, all []string) {
		t.Helper()
		id, _, err := a.signer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := a.signingKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			all = append(all, k.id.String())
		}
		return id.String(), all
	}
	rotate := func() {
		t.Helper()
		if err := a.rotateSigning(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first, all := ids()
	if rotate(); len(all) != 1 {
		t.Fatalf("%d keys", len(all))
	}
	a.clock.pass(signingLife - signingLead)
	rotate()
	rotate()
	signing, all := ids()
	if signing != first || len(all) != 2 {
		t.Errorf("before its time: %s signs of %v", signing, all)
	}
	a.clock.pass(signingLead)
	second, all := ids()
	if second == first || len(all) != 2 || !slices.Contains(all, first) {
		t.Errorf("at its time: %s signs of %v", second, all)
	}
	a.clock.pass(signingTail + time.Minute)
	if signing, all = ids(); signing != second || len(all) != 1 {
		t.Errorf("after the old one's tokens: %s signs of %v", signing, all)
	}
	a.clock.pass(signingLife)
	rotate()
	if n := a.count(t, `SELECT count(*) FROM signing_key`); n != 2 {
		t.Errorf("%d keys are kept", n)
	}
	var private []byte
	if err := a.pool.QueryRow(t.Context(), `SELECT private FROM signing_key LIMIT 1`).Scan(&private); err != nil || len(private) < 150 {
		t.Errorf("private key: %d bytes, %v", len(private), err)
	}
}
