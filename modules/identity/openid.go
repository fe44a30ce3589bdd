package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"ejustice.dev/operator/modules/kit"
)

// provider is the library's provider with codes that mean nothing: a code is
// found by its digest only.
type provider struct{ *op.Provider }

// Crypto implements op.OpenIDProvider.
func (*provider) Crypto() op.Crypto { return opaque{} }

// opaque makes random texts of which nothing can be read.
type opaque struct{}

func (opaque) Encrypt(string) (string, error) { return newSecret(), nil }
func (opaque) Decrypt(string) (string, error) { return "", errors.New("nothing is encrypted in it") }

func newProvider(a *App) (*provider, error) {
	endpoint := op.NewEndpoint
	library, err := op.NewProvider(&op.Config{
		CodeMethodS256: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
		SupportedScopes:          []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeOfflineAccess},
		SupportedClaims:          []string{"sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "amr", "azp", "sid", "name", claimGrants},
		DefaultLogoutRedirectURI: a.settings.prefix + "/signed-out",
	}, storage{a}, op.StaticIssuer(a.settings.Issuer),
		op.WithCustomEndpoints(endpoint("authorize"), endpoint("oauth/token"), endpoint("userinfo"), endpoint("revoke"), endpoint("end-session"), endpoint("keys")),
		op.WithCustomIntrospectionEndpoint(endpoint("oauth/introspect")),
		op.WithCORSOptions(nil),
		op.WithAccessTokenVerifierOpts(op.WithSupportedAccessTokenSigningAlgorithms(string(signingAlgorithm))),
		op.WithIDTokenHintVerifierOpts(op.WithSupportedIDTokenHintSigningAlgorithms(string(signingAlgorithm))),
	)
	if err != nil {
		return nil, fmt.Errorf("prepare OpenID Connect: %w", err)
	}
	return &provider{library}, nil
}

// routeOpenID serves what relying parties ask.
func (a *App) routeOpenID(router *kit.Router) {
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request){
		"GET /.well-known/openid-configuration": a.discovery,
		"GET /keys":                             func(w http.ResponseWriter, r *http.Request) { op.Keys(w, r, storage{a}) },
		"POST /oauth/token":                     a.token,
		"POST /oauth/introspect":                func(w http.ResponseWriter, r *http.Request) { op.Introspect(w, r, a.provider) },
		"POST /revoke":                          func(w http.ResponseWriter, r *http.Request) { op.Revoke(w, r, a.provider) },
		"GET /userinfo":                         func(w http.ResponseWriter, r *http.Request) { op.Userinfo(w, r, a.provider) },
	} {
		router.API(a.path(pattern), func(w http.ResponseWriter, r *http.Request) error {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			r = a.withClient(r)
			serve(w, r.WithContext(op.ContextWithIssuer(r.Context(), a.settings.Issuer)))
			return nil
		})
	}
	router.API(a.path("GET /api/v1/sessions/ended"), a.listEnded)
	router.API(a.path("GET /openapi.json"), a.openAPI)
	authorize := a.browser(func(w http.ResponseWriter, r *http.Request) { op.Authorize(w, r, a.provider) })
	router.Page(a.path("GET /authorize"), func(w http.ResponseWriter, r *http.Request) error {
		err := requestLimit.attempt(r.Context(), a.pool, addressOf(r), a.now())
		if errors.As(err, &blocked{}) {
			return kit.TryLater("Too many requests come from this address. Try again in a few minutes.")
		}
		if err != nil {
			return err
		}
		return authorize(w, r)
	})
	router.Page(a.path("POST /authorize"), a.byGet("/authorize"))
	router.Page(a.path("POST /end-session"), a.byGet("/end-session"))
	router.Page(a.path("GET /authorize/callback"), a.browser(func(w http.ResponseWriter, r *http.Request) { op.AuthorizeCallback(w, r, a.provider) }))
	router.Page(a.path("GET /end-session"), a.browser(func(w http.ResponseWriter, r *http.Request) { op.EndSession(w, r, a.provider) }))
}

// browser serves a person's browser on its way between a relying party and the
// pages. What the library would say to programs becomes a page.
func (a *App) browser(serve http.HandlerFunc) kit.Handler {
	return a.page(func(w http.ResponseWriter, r *http.Request, v *visitor) error {
		ctx := context.WithValue(op.ContextWithIssuer(r.Context(), a.settings.Issuer), browserKey{}, v.browser)
		answer := &withoutFaults{ResponseWriter: w}
		serve(answer, r.WithContext(ctx))
		switch {
		case answer.fault >= http.StatusInternalServerError:
			return errors.New("the request of a relying party failed; the library has logged why")
		case answer.fault != 0:
			return kit.NewProblem(http.StatusBadRequest, "request", "The request is not correct", "It is not one of a service that is known here.")
		}
		return nil
	})
}

// withoutFaults keeps an answer of failure back and notes its status.
type withoutFaults struct {
	http.ResponseWriter
	fault int
}

func (w *withoutFaults) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.fault = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *withoutFaults) Write(p []byte) (int, error) {
	if w.fault != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// byGet answers a form of another site (OpenID Connect Core section 3.1.2.1 asks
// for it) by a redirect to the same as an address: browsers do not send our
// cookies with such a form.
func (a *App) byGet(path string) kit.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm/8)
		if err := r.ParseForm(); err != nil {
			return badForm()
		}
		return a.seeOther(w, r, path+"?"+r.Form.Encode())
	}
}

// token gives tokens for a code or a refresh token, and for nothing else. A
// caller who claims to be a client with a certificate and does not have it is
// turned away before the library takes the code for used.
func (a *App) token(w http.ResponseWriter, r *http.Request) {
	id, _, basic := r.BasicAuth()
	if !basic {
		id = r.FormValue("client_id")
	}
	if client, found := a.settings.client(id); found && client.Authentication == byCertificate {
		if err := (storage{a}).AuthorizeClientIDSecret(r.Context(), id, ""); err != nil {
			op.WriteError(w, r, op.NewStatusError(oidc.ErrInvalidClient().WithParent(err), http.StatusUnauthorized), nil)
			return
		}
	}
	switch oidc.GrantType(r.FormValue("grant_type")) {
	case oidc.GrantTypeCode, oidc.GrantTypeRefreshToken:
		op.Exchange(w, r, a.provider)
	default:
		op.RequestError(w, r, oidc.ErrUnsupportedGrantType(), nil)
	}
}

// discovery says what the provider can (OpenID Connect Discovery 1.0), and of
// that only what is so here.
func (a *App) discovery(w http.ResponseWriter, r *http.Request) {
	config := op.CreateDiscoveryConfig(r.Context(), a.provider, storage{a})
	config.DeviceAuthorizationEndpoint, config.CheckSessionIframe = "", ""
	config.ResponseTypesSupported = []string{string(oidc.ResponseTypeCode)}
	config.GrantTypesSupported = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
	methods := []oidc.AuthMethod{"tls_client_auth", oidc.AuthMethodPrivateKeyJWT}
	config.TokenEndpointAuthMethodsSupported = append(slices.Clone(methods), oidc.AuthMethodNone)
	config.RevocationEndpointAuthMethodsSupported = config.TokenEndpointAuthMethodsSupported
	config.IntrospectionEndpointAuthMethodsSupported = methods
	w.Header().Set("Cache-Control", "public, max-age=300")
	op.Discover(w, config)
}

// originOf is the scheme and host of an address that was checked.
func originOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}
