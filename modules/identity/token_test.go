package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"ejustice.dev/operator/modules/kit"
)

func TestTokensEnd(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	party := s.relying(t, "casemanagement", redirect, caseName)
	phone := s.relying(t, "phone", "https://phone.example.ps/signed-in", doorName)
	active := func(tokens *oidc.Tokens[*oidc.IDTokenClaims]) bool {
		return s.introspect(t, caseName, tokens.AccessToken)["active"] == true
	}
	b := s.browser(t)
	b.signIn("a.party", "")
	tokens, other := s.tokens(t, b, party), s.tokens(t, b, phone)
	if !active(tokens) || !active(other) {
		t.Fatal("a fresh token is not active")
	}
	// A client gives up what it has; the other keeps its own.
	if err := rp.RevokeToken(t.Context(), party, tokens.RefreshToken, "refresh_token"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.refresh(t, party, tokens.RefreshToken); err == nil || active(tokens) || !active(other) {
		t.Errorf("after revocation: %v, own %v, other %v", err, active(tokens), active(other))
	}
	// The relying party signs its person out: it ends everywhere.
	tokens = s.tokens(t, b, party)
	b.get(s.settings.Issuer + "/end-session?" + url.Values{"id_token_hint": {tokens.IDToken}, "post_logout_redirect_uri": {"https://courts.example.ps/"}, "state": {"x"}}.Encode())
	if b.last.status != http.StatusFound || b.last.header.Get("Location") != "https://courts.example.ps/?state=x" {
		t.Errorf("signing out leads to %d %q", b.last.status, b.last.header.Get("Location"))
	}
	if active(tokens) || active(other) || len(s.ended(t, "").Ended) != 1 {
		t.Error("tokens outlive their session")
	}
	// Age alone ends them, too.
	b.signIn("a.party", "")
	tokens = s.tokens(t, b, party)
	s.clock.pass(tokenLife)
	if active(tokens) {
		t.Error("an access token never ends")
	}
	s.clock.pass(s.settings.Sessions.idle())
	if _, err := s.refresh(t, party, tokens.RefreshToken); err == nil {
		t.Error("a session that nobody uses never ends")
	}
}

func TestCodesAreUsedOnce(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	party := s.relying(t, "casemanagement", redirect, caseName)
	b := s.browser(t)
	b.signIn("a.party", "")
	verifier := oauth2.GenerateVerifier()
	code := b.code(party, verifier)
	tokens, err := s.exchange(t, party, code, verifier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.exchange(t, party, code, verifier); err == nil {
		t.Error("a code is used twice")
	}
	if _, err := s.refresh(t, party, tokens.RefreshToken); err == nil {
		t.Error("the tokens of a code that came twice still work")
	}
	b.signIn("a.party", "")
	code = b.code(party, verifier)
	s.clock.pass(codeLife)
	if _, err := s.exchange(t, party, code, verifier); err == nil {
		t.Error("a code never ends")
	}
}

// A relying party that waits is told at once.
func TestEndedSessionsAreToldAtOnce(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b := s.browser(t)
	b.signIn("a.party", "")
	position := s.ended(t, "").Next
	type told struct {
		endedSessions
		err error
	}
	answers := make(chan told)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		var answer told
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.settings.Issuer+"/api/v1/sessions/ended?wait=25&after="+position, nil)
		response, err := s.client(t, caseName).Do(request)
		if answer.err = err; err == nil {
			answer.err = json.NewDecoder(response.Body).Decode(&answer.endedSessions)
			response.Body.Close()
		}
		answers <- answer
	}()
	b.get("/sign-out")
	b.send("")
	b.mustShow(http.StatusOK, "You are signed out")
	if answer := <-answers; answer.err != nil || len(answer.Ended) != 1 || len(s.ended(t, answer.Next).Ended) != 0 {
		t.Errorf("told %+v", answer)
	}
	for _, wrong := range []string{"after=x", "after=-1", "wait=26", "wait=1.5"} {
		response, err := s.client(t, caseName).Get(s.settings.Issuer + "/api/v1/sessions/ended?" + wrong)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, response.StatusCode)
		}
	}
}

// A client without a certificate of the tenant signs what proves who it is.
func TestClientsWithKeys(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	client := Client{ID: "registry", RedirectURIs: []string{redirect}, Authentication: byKey,
		Keys: []ClientKey{{ID: "k1", PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}}}
	var faults kit.FieldErrors
	if client.validateProof(&faults, "client"); len(faults) > 0 {
		t.Fatal(faults)
	}
	s.settings.Clients = append(s.settings.Clients, client)
	b := s.browser(t)
	b.signIn("a.party", "")
	party := s.relying(t, "registry", redirect, doorName)
	assertion := func(key *ecdsa.PrivateKey, audience string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		claims, _ := json.Marshal(map[string]any{"iss": "registry", "sub": "registry", "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": newSecret()})
		signed, err := signer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := signed.CompactSerialize()
		return text
	}
	for name, proof := range map[string]string{"another key": assertion(stranger, s.settings.Issuer), "for somebody else": assertion(private, "https://elsewhere.example"), "nothing": ""} {
		verifier := oauth2.GenerateVerifier()
		options := []rp.CodeExchangeOpt{rp.WithCodeVerifier(verifier)}
		if proof != "" {
			options = append(options, rp.WithClientAssertionJWT(proof))
		}
		if _, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), b.code(party, verifier), party, options...); err == nil {
			t.Errorf("%s is a proof", name)
		}
		b = s.browser(t) // the library may have sent the code twice, which ends the session
		b.signIn("a.party", "")
	}
	verifier := oauth2.GenerateVerifier()
	if _, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), b.code(party, verifier), party,
		rp.WithCodeVerifier(verifier), rp.WithClientAssertionJWT(assertion(private, s.settings.Issuer))); err != nil {
		t.Error(err)
	}
}
