package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// authenticator is a security key in software (Web Authentication Level 2,
// section 6).
type authenticator struct {
	id      []byte
	key     *ecdsa.PrivateKey
	counter uint32
	flags   byte // beside those of each ceremony
}

func newAuthenticator(t testing.TB) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authenticator{id: randomBytes(16), key: key}
}

const userPresent, userVerified, attested, backupEligible = 0x01, 0x04, 0x40, 0x08

func (k *authenticator) data(rp string, flags byte) []byte {
	k.counter++
	sum := sha256.Sum256([]byte(rp))
	data := append(sum[:], flags|k.flags|userPresent|userVerified)
	return binary.BigEndian.AppendUint32(data, k.counter)
}

func clientData(kind, challenge, origin string) []byte {
	text, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
	return text
}

func (k *authenticator) answer(response map[string]string) string {
	id := base64.RawURLEncoding.EncodeToString(k.id)
	text, _ := json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "response": response})
	return string(text)
}

// create answers a request to make a passkey.
func (k *authenticator) create(t testing.TB, rp, challenge, origin string) string {
	t.Helper()
	public, err := k.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	key, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	if err != nil {
		t.Fatal(err)
	}
	data := append(k.data(rp, attested), make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.id)))
	data = append(append(data, k.id...), key...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	return k.answer(map[string]string{"clientDataJSON": b64.EncodeToString(clientData("webauthn.create", challenge, origin)), "attestationObject": b64.EncodeToString(object)})
}

// get answers a request to show a passkey.
func (k *authenticator) get(t testing.TB, rp, challenge, origin string) string {
	t.Helper()
	data, client := k.data(rp, 0), clientData("webauthn.get", challenge, origin)
	sum := sha256.Sum256(client)
	signed := sha256.Sum256(append(slices.Clone(data), sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, signed[:])
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	return k.answer(map[string]string{"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data), "signature": b64.EncodeToString(signature)})
}

// asked reads what the page that is open asks the browser.
func (b *browser) asked() (rp, challenge string) {
	b.t.Helper()
	found := regexp.MustCompile(`data-options="([^"]+)"`).FindStringSubmatch(b.last.body)
	if found == nil {
		b.t.Fatalf("%s asks for no passkey\n%s", b.last.url, b.last.body)
	}
	var options struct {
		PublicKey struct {
			Challenge string
			RPID      string `json:"rpId"`
			RP        struct{ ID string }
		}
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(found[1])), &options); err != nil {
		b.t.Fatal(err)
	}
	return options.PublicKey.RPID + options.PublicKey.RP.ID, options.PublicKey.Challenge
}

const ownOrigin = "https://courts.example.ps"

func TestPasskeys(t *testing.T) {
	s := start(t)
	b, judge := s.staff(t, "a.judge", Grant{Role: "judge", Court: "RAM-SOLH"})
	key := newAuthenticator(t)
	b.get("/passkeys/new")
	b.mustShow(http.StatusOK, "<noscript>", "passkey.js")
	if csp := b.last.header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "connect-src") {
		t.Errorf("policy = %s", csp)
	}
	rp, challenge := b.asked()
	if rp != "courts.example.ps" {
		t.Errorf("rp = %s", rp)
	}
	b.send("", "credential", key.create(t, rp, challenge, "https://evil.example"))
	b.mustShow(http.StatusUnprocessableEntity, "not accepted")
	_, fresh := b.asked()
	b.send("", "credential", key.create(t, rp, challenge, ownOrigin))
	b.mustShow(http.StatusUnprocessableEntity)
	if fresh == challenge {
		t.Error("the same is asked twice")
	}
	_, challenge = b.asked()
	b.send("", "credential", key.create(t, rp, challenge, ownOrigin))
	b.mustShow(http.StatusOK, `id="passkeys"`)

	// Next time, in place of a code.
	half := func() *browser {
		again := s.browser(t)
		again.get("/sign-in")
		again.send("", "login", "a.judge", "password", goodPassword)
		again.mustShow(http.StatusOK, `autocomplete="one-time-code"`, "Use a passkey instead")
		return again
	}
	again := half()
	_, challenge = again.asked()
	first := key.get(t, rp, challenge, ownOrigin)
	again.send("/sign-in/passkey", "credential", first)
	again.mustShow(http.StatusOK, `id="sessions"`)
	if n := s.count(t, `SELECT count(*) FROM session WHERE amr = '{pwd,hwk,mfa}'`); n != 1 {
		t.Errorf("%d sessions say that a passkey was shown", n)
	}
	stranger := newAuthenticator(t)
	stranger.id = key.id
	for name, answer := range map[string]func(challenge string) string{
		"an answer to another question": func(string) string { return first },
		"another key of the same name":  func(c string) string { return stranger.get(t, rp, c, ownOrigin) },
		"a key that nobody knows":       func(c string) string { return newAuthenticator(t).get(t, rp, c, ownOrigin) },
		"another site":                  func(c string) string { return key.get(t, rp, c, "https://evil.example") },
		"another relying party":         func(c string) string { return key.get(t, "evil.example", c, ownOrigin) },
		"a copy": func(c string) string {
			copied := *key
			copied.counter = 0
			return copied.get(t, rp, c, ownOrigin)
		},
		"nonsense": func(string) string { return `{"id":"x"}` },
		"nothing":  func(string) string { return "" },
	} {
		b := half()
		_, challenge := b.asked()
		b.send("/sign-in/passkey", "credential", answer(challenge))
		if b.last.status != http.StatusUnprocessableEntity && b.last.status != http.StatusTooManyRequests {
			t.Errorf("%s: %d at %s", name, b.last.status, b.last.url)
		}
		if err := factorLimit.forgive(t.Context(), s.pool, judge.ID.String()); err != nil {
			t.Fatal(err)
		}
	}
	// Attempts count as those with codes.
	b2 := half()
	for range factorLimit.free {
		b2.send("/sign-in/passkey", "credential", "{}")
	}
	b2.send("/sign-in/passkey", "credential", "{}")
	b2.mustShow(http.StatusTooManyRequests)

	b.get("/")
	b.send("/passkeys/" + base64.RawURLEncoding.EncodeToString(key.id) + "/remove")
	if n := s.count(t, `SELECT count(*) FROM passkey`); n != 0 {
		t.Error("a removed passkey stays")
	}
}

func TestPasskeysNeedASecondFactorFirst(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b := s.browser(t)
	b.signIn("a.party", "")
	b.get("/passkeys/new")
	b.mustShow(http.StatusOK, `id="sessions"`)
	b.send("/passkeys/new", "credential", "{}")
	b.mustShow(http.StatusForbidden)
}
