package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

const redirect = "https://courts.example.ps/signed-in"

// relying is a relying party on the library's own client side.
func (s *service) relying(t testing.TB, id, redirect, certificate string) rp.RelyingParty {
	t.Helper()
	party, err := rp.NewRelyingPartyOIDC(t.Context(), s.settings.Issuer, id, "", redirect,
		[]string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeOfflineAccess},
		rp.WithHTTPClient(s.client(t, certificate)), rp.WithSigningAlgsFromDiscovery(),
		// The clock of a test may be ahead.
		rp.WithVerifierOpts(rp.WithIssuedAtOffset(time.Minute), rp.WithNonce(func(context.Context) string { return s.nonce })))
	if err != nil {
		t.Fatal(err)
	}
	return party
}

// code has a person's browser go to the relying party and returns the code that
// it brings back.
func (b *browser) code(party rp.RelyingParty, verifier string, options ...rp.AuthURLOpt) string {
	b.t.Helper()
	options = append(options, rp.WithCodeChallenge(oidc.NewSHACodeChallenge(verifier)))
	b.get(rp.AuthURL("the-state", party, options...))
	return b.arrived()
}

// arrived reads the code from the redirect to the relying party.
func (b *browser) arrived() string {
	b.t.Helper()
	location, err := url.Parse(b.last.header.Get("Location"))
	if err != nil || b.last.status != http.StatusFound || location.Query().Get("code") == "" {
		b.t.Fatalf("no code: %d %q at %s\n%s", b.last.status, b.last.header.Get("Location"), b.last.url, b.last.body)
	}
	if state := location.Query().Get("state"); state != "the-state" {
		b.t.Errorf("state = %q", state)
	}
	return location.Query().Get("code")
}

func (s *service) exchange(t testing.TB, party rp.RelyingParty, code, verifier string) (*oidc.Tokens[*oidc.IDTokenClaims], error) {
	t.Helper()
	return rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), code, party, rp.WithCodeVerifier(verifier))
}

func (s *service) tokens(t testing.TB, b *browser, party rp.RelyingParty) *oidc.Tokens[*oidc.IDTokenClaims] {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	tokens, err := s.exchange(t, party, b.code(party, verifier), verifier)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (s *service) refresh(t testing.TB, party rp.RelyingParty, token string) (*oidc.Tokens[*oidc.IDTokenClaims], error) {
	t.Helper()
	return rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, token, "", "")
}

func (s *service) userinfo(t testing.TB, party rp.RelyingParty, tokens *oidc.Tokens[*oidc.IDTokenClaims]) (*oidc.UserInfo, error) {
	t.Helper()
	return rp.Userinfo[*oidc.UserInfo](t.Context(), tokens.AccessToken, oidc.BearerToken, tokens.IDTokenClaims.Subject, party)
}

func (s *service) ended(t testing.TB, after string) endedSessions {
	t.Helper()
	response, err := s.client(t, caseName).Get(s.settings.Issuer + "/api/v1/sessions/ended?after=" + after)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer endedSessions
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", response.StatusCode, err)
	}
	return answer
}

// A judge signs in at a relying party: password, second factor, code with PKCE,
// tokens, refresh; then an old refresh token comes again.
func TestSignInAtARelyingParty(t *testing.T) {
	s := start(t)
	absent := s.account(t, "absent.judge", Grant{Role: "judge", Court: "RAM-BIDAYA"})
	until := s.now().Add(24 * time.Hour).Truncate(time.Second)
	judge := s.account(t, "a.judge", Grant{Role: "judge", Court: "RAM-SOLH"}, Grant{Role: "judge", Court: "RAM-BIDAYA", Until: until, For: absent.ID})
	secret, _ := s.withFactor(t, judge)
	party := s.relying(t, "casemanagement", redirect, caseName)
	b := s.browser(t)

	verifier := oauth2.GenerateVerifier()
	b.get(rp.AuthURL("the-state", party, rp.WithCodeChallenge(oidc.NewSHACodeChallenge(verifier)), rp.AuthURLOpt(rp.WithURLParam("nonce", "the-nonce"))))
	b.mustShow(http.StatusOK, "Sign in", `autocomplete="username"`)
	b.send("", "login", "A.Judge ", "password", goodPassword)
	b.mustShow(http.StatusOK, `autocomplete="one-time-code"`)
	code := codeOf(t, secret, s.now())
	b.send("", "code", code[:3]+" "+code[3:])
	s.nonce = "the-nonce"
	tokens, err := s.exchange(t, party, b.arrived(), verifier)
	s.nonce = ""
	if err != nil {
		t.Fatal(err)
	}

	claims := tokens.IDTokenClaims
	sid, _ := claims.Claims["sid"].(string)
	if claims.Subject != judge.ID.String() || claims.Name != judge.Name || claims.Nonce != "the-nonce" || sid == "" ||
		!slices.Equal(claims.AuthenticationMethodsReferences, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("claims = %+v", claims)
	}
	grants, _ := json.Marshal(claims.Claims[claimGrants])
	want := `[{"court":"RAM-BIDAYA","for":"` + absent.ID.String() + `","role":"judge","until":"` + until.Format(time.RFC3339) + `"},{"court":"RAM-SOLH","role":"judge"}]`
	if string(grants) != want {
		t.Errorf("grants = %s\nwant     %s", grants, want)
	}
	if left := time.Until(claims.GetExpiration()); left > tokenLife+time.Second || left < tokenLife-time.Minute {
		t.Errorf("the ID token lasts %s", left)
	}
	if tokens.ExpiresIn > 300 || tokens.ExpiresIn < 240 {
		t.Errorf("the access token lasts %d s", tokens.ExpiresIn)
	}
	access := map[string]any{}
	if _, err := oidc.ParseToken(tokens.AccessToken, &access); err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(access[claimGrants]); string(got) != want || access["sid"] != sid || access["sub"] != judge.ID.String() || access["name"] != judge.Name {
		t.Errorf("access token = %v", access)
	}
	info, err := s.userinfo(t, party, tokens)
	if err != nil || info.Name != judge.Name || info.Claims["sid"] != sid {
		t.Errorf("userinfo = %+v %v", info, err)
	}

	// Somebody who is signed in is not asked again.
	again := s.tokens(t, b, party)
	if again.IDTokenClaims.Claims["sid"] != sid {
		t.Error("another sign-in at a relying party is another session")
	}

	s.clock.pass(4 * time.Minute)
	renewed, err := s.refresh(t, party, tokens.RefreshToken)
	if err != nil || renewed.RefreshToken == tokens.RefreshToken || renewed.IDTokenClaims.Claims["sid"] != sid {
		t.Fatalf("refresh: %v %v", renewed, err)
	}
	if len(s.ended(t, "").Ended) != 0 {
		t.Error("a session was ended")
	}
	// The old one again: two people have it.
	if _, err := s.refresh(t, party, tokens.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("reuse: %v", err)
	}
	if ended := s.ended(t, "").Ended; len(ended) != 1 || ended[0].SID.String() != sid {
		t.Errorf("ended = %+v", ended)
	}
	if _, err := s.refresh(t, party, renewed.RefreshToken); err == nil {
		t.Error("the newer refresh token works after the reuse of the older")
	}
	if _, err := s.userinfo(t, party, renewed); err == nil {
		t.Error("an access token of an ended session works")
	}
	b.get("/")
	b.mustShow(http.StatusOK, `autocomplete="username"`)
	for _, secret := range []string{goodPassword, "a.judge", "A. Sample", judge.ID.String(), tokens.RefreshToken, code} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log says %q", secret)
		}
	}
}

// A sign-in by password alone gives nobody a staff role.
func TestPartiesSignInByPassword(t *testing.T) {
	s := start(t)
	p := s.account(t, "a.party", Grant{Role: roleParty})
	party := s.relying(t, "casemanagement", redirect, caseName)
	b := s.browser(t)
	b.signIn("a.party", "")
	tokens := s.tokens(t, b, party)
	if got, _ := json.Marshal(tokens.IDTokenClaims.Claims[claimGrants]); string(got) != `[{"role":"party"}]` {
		t.Errorf("grants = %s", got)
	}
	// A role that arrives while the person is signed in, past every check.
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO role_grant (id, person_id, role, court, granted_at) VALUES (gen_random_uuid(), $1, 'judge', '', now())`, p.ID); err != nil {
		t.Fatal(err)
	}
	tokens, err := s.refresh(t, party, tokens.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(tokens.IDTokenClaims.Claims[claimGrants]); string(got) != `[{"role":"party"}]` {
		t.Errorf("grants without a second factor = %s", got)
	}
}

func TestClientsProveWhoTheyAre(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	b := s.browser(t)
	b.signIn("a.party", "")
	good := s.relying(t, "casemanagement", redirect, caseName)
	for name, certificate := range map[string]string{"the front door": doorName, "another module": otherName} {
		impostor := s.relying(t, "casemanagement", redirect, certificate)
		verifier := oauth2.GenerateVerifier()
		if _, err := s.exchange(t, impostor, b.code(impostor, verifier), verifier); err == nil {
			t.Errorf("%s exchanges a code of casemanagement", name)
		}
		tokens := s.tokens(t, b, good)
		if _, err := s.refresh(t, impostor, tokens.RefreshToken); err == nil {
			t.Errorf("%s uses a refresh token of casemanagement", name)
		}
		if got := s.introspect(t, certificate, tokens.AccessToken); got["active"] != nil {
			t.Errorf("%s is told of a token: %v", name, got)
		}
		response, err := s.client(t, certificate).Get(s.settings.Issuer + "/api/v1/sessions/ended")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s is told of ended sessions: %d", name, response.StatusCode)
		}
	}
	// A public client needs no certificate but its own verifier.
	phone := s.relying(t, "phone", "https://phone.example.ps/signed-in", doorName)
	verifier := oauth2.GenerateVerifier()
	if _, err := s.exchange(t, phone, b.code(phone, verifier), oauth2.GenerateVerifier()); err == nil {
		t.Error("a code is exchanged with another verifier")
	}
	// The library has sent the code twice, and that ended the session.
	b.signIn("a.party", "")
	tokens := s.tokens(t, b, phone)
	if _, err := s.refresh(t, good, tokens.RefreshToken); err == nil {
		t.Error("one client uses another's refresh token")
	}
}

func (s *service) introspect(t testing.TB, certificate, token string) map[string]any {
	t.Helper()
	response, err := s.client(t, certificate).PostForm(s.settings.Issuer+"/oauth/introspect", url.Values{"token": {token}, "client_id": {"casemanagement"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := map[string]any{}
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
	}
	return answer
}

// Only the code flow with PKCE by S256 is served, and only to known addresses.
func TestRequestsThatAreRefused(t *testing.T) {
	s := start(t)
	good := func() url.Values {
		return url.Values{"client_id": {"casemanagement"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid"}, "state": {"the-state"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())}, "code_challenge_method": {"S256"}}
	}
	b := s.browser(t)
	b.get("/authorize?" + good().Encode())
	b.mustShow(http.StatusOK, `autocomplete="username"`)
	r, _ := http.NewRequest(http.MethodPost, s.settings.Issuer+"/authorize", strings.NewReader(good().Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	b.do(r)
	b.mustShow(http.StatusOK, `autocomplete="username"`)
	for name, change := range map[string]func(url.Values){
		"no challenge":    func(v url.Values) { v.Del("code_challenge"); v.Del("code_challenge_method") },
		"plain challenge": func(v url.Values) { v.Set("code_challenge_method", "plain") },
		"implicit":        func(v url.Values) { v.Set("response_type", "id_token token"); v.Set("nonce", "n") },
		"not OpenID":      func(v url.Values) { v.Set("scope", "profile") },
		"request object":  func(v url.Values) { v.Set("request", "e30.e30.") },
	} {
		v := good()
		change(v)
		b.get("/authorize?" + v.Encode())
		if location := b.last.header.Get("Location"); b.last.status != http.StatusFound || !strings.HasPrefix(location, redirect) || !strings.Contains(location, "error=") {
			t.Errorf("%s: %d %q", name, b.last.status, location)
		}
	}
	for name, change := range map[string]func(url.Values){
		"unknown client":   func(v url.Values) { v.Set("client_id", "nobody") },
		"foreign redirect": func(v url.Values) { v.Set("redirect_uri", "https://evil.example/signed-in") },
		"longer redirect":  func(v url.Values) { v.Set("redirect_uri", redirect+"/x") },
		"another's":        func(v url.Values) { v.Set("redirect_uri", "https://phone.example.ps/signed-in") },
		"no redirect":      func(v url.Values) { v.Del("redirect_uri") },
	} {
		v := good()
		change(v)
		if b.get("/authorize?" + v.Encode()); b.last.status != http.StatusBadRequest || b.last.header.Get("Location") != "" || !strings.Contains(b.last.body, "<h1>") {
			t.Errorf("%s: %d %q\n%s", name, b.last.status, b.last.header.Get("Location"), b.last.body)
		}
	}
	for _, grant := range []string{"password", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange", ""} {
		response, err := s.client(t, caseName).PostForm(s.settings.Issuer+"/oauth/token", url.Values{"grant_type": {grant}, "client_id": {"casemanagement"}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("grant %q: %d", grant, response.StatusCode)
		}
	}
}

// Whoever begins a request and lures a person into signing in for it gets
// nothing: it belongs to the browser that began it.
func TestRequestsBelongToABrowser(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	party := s.relying(t, "casemanagement", redirect, caseName)
	attacker, victim := s.browser(t), s.browser(t)
	attacker.get(rp.AuthURL("the-state", party, rp.WithCodeChallenge(oidc.NewSHACodeChallenge(oauth2.GenerateVerifier()))))
	id := attacker.last.url.Query().Get("request")
	victim.signIn("a.party", "")
	victim.get("/sign-in?request=" + id)
	victim.mustShow(http.StatusBadRequest, "expired")
	if attacker.get("/authorize/callback?id=" + id); strings.Contains(attacker.last.header.Get("Location"), "code=") {
		t.Error("the attacker has a code")
	}
	// Nor does one browser's session work with another's other cookie.
	jar := attacker.http.Jar
	site, _ := url.Parse(s.settings.Issuer + "/")
	for _, cookie := range victim.http.Jar.Cookies(site) {
		if cookie.Name == sessionCookie {
			jar.SetCookies(site, []*http.Cookie{{Name: cookie.Name, Value: cookie.Value, Path: "/identity/", Secure: true}})
		}
	}
	attacker.get("/")
	attacker.mustShow(http.StatusOK, `autocomplete="username"`)
}

func TestFreshnessOfSignIns(t *testing.T) {
	s := start(t)
	s.account(t, "a.party", Grant{Role: roleParty})
	party := s.relying(t, "casemanagement", redirect, caseName)
	challenge := rp.WithCodeChallenge(oidc.NewSHACodeChallenge(oauth2.GenerateVerifier()))
	b := s.browser(t)
	b.get(rp.AuthURL("the-state", party, challenge, rp.AuthURLOpt(rp.WithPrompt("none"))))
	if !strings.Contains(b.last.header.Get("Location"), "error=interaction_required") {
		t.Errorf("prompt=none of a stranger: %d %s", b.last.status, b.last.header.Get("Location"))
	}
	b.signIn("a.party", "")
	b.code(party, oauth2.GenerateVerifier(), rp.AuthURLOpt(rp.WithPrompt("none")))
	s.clock.pass(5 * time.Minute)
	b.code(party, oauth2.GenerateVerifier(), rp.AuthURLOpt(rp.WithURLParam("max_age", "600")))
	for _, option := range []rp.AuthURLOpt{rp.AuthURLOpt(rp.WithURLParam("max_age", "60")), rp.AuthURLOpt(rp.WithPrompt("login"))} {
		b.get(rp.AuthURL("the-state", party, challenge, option))
		b.mustShow(http.StatusOK, `autocomplete="username"`)
		s.clock.pass(time.Second)
		b.send("", "login", "a.party", "password", goodPassword)
		b.arrived()
		s.clock.pass(5 * time.Minute)
	}
}

// The description promises what is so, and nothing else.
func TestDiscovery(t *testing.T) {
	s := start(t)
	response, err := s.client(t, doorName).Get(s.settings.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got oidc.DiscoveryConfiguration
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Issuer != s.settings.Issuer || got.TokenEndpoint != s.settings.Issuer+"/oauth/token" || !slices.Equal(got.ResponseTypesSupported, []string{"code"}) ||
		!slices.Equal(got.IDTokenSigningAlgValuesSupported, []string{"ES256"}) || len(got.CodeChallengeMethodsSupported) != 1 || len(got.GrantTypesSupported) != 2 {
		t.Errorf("discovery = %+v", got)
	}
	if response.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other sites' scripts may read this")
	}
	for _, address := range []string{got.JwksURI, got.UserinfoEndpoint, got.AuthorizationEndpoint, got.EndSessionEndpoint} {
		answer, err := s.client(t, doorName).Get(address)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusNotFound {
			t.Errorf("%s is not there", address)
		}
	}
}
