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
	router.Page(a.path("GET /authorize/callback"), a.browser(func(w http.ResponseWriter, r *http.Request) { op.AuthorizeCallback(w, r, a.provider) }))
	router.Page(a.path("GET /end-session"), a.browser(func(w http.ResponseWriter, r *http.Request) { op.EndSession(w, r, a.provider) }))
}

// browser serves a person's browser on its way between a relying party and the
// pages.
func (a *App) browser(serve http.HandlerFunc) kit.Handler {
	return a.page(func(w http.ResponseWriter, r *http.Request, v *visitor) error {
		ctx := context.WithValue(op.ContextWithIssuer(r.Context(), a.settings.Issuer), browserKey{}, v.browser)
		serve(w, r.WithContext(ctx))
		return nil
	})
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
