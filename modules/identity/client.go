package identity

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// tokenLife is how long an access token and an ID token hold. What a relying
// party does not learn otherwise it learns after this time.
const tokenLife = 5 * time.Minute

// relyingParty shows a configured client to the library.
type relyingParty struct {
	*Client
	prefix string
}

func (c relyingParty) GetID() string                       { return c.ID }
func (c relyingParty) RedirectURIs() []string              { return c.Client.RedirectURIs }
func (c relyingParty) PostLogoutRedirectURIs() []string    { return c.Client.PostLogoutRedirectURIs }
func (c relyingParty) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c relyingParty) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c relyingParty) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}
func (c relyingParty) LoginURL(request string) string {
	return c.prefix + "/sign-in?request=" + request
}
func (c relyingParty) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c relyingParty) IDTokenLifetime() time.Duration      { return tokenLife }
func (c relyingParty) DevMode() bool                       { return false }
func (c relyingParty) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
func (c relyingParty) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
func (c relyingParty) IsScopeAllowed(string) bool           { return false }
func (c relyingParty) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c relyingParty) ClockSkew() time.Duration             { return 0 }

// AuthMethod is what the library asks of the client. It knows nothing of
// certificates: for it they look like a password, which withClient has checked.
func (c relyingParty) AuthMethod() oidc.AuthMethod {
	switch c.Authentication {
	case byCertificate:
		return oidc.AuthMethodBasic
	case byKey:
		return oidc.AuthMethodPrivateKeyJWT
	}
	return oidc.AuthMethodNone
}

// GetClientByClientID implements op.Storage.
func (s storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	client, found := s.settings.client(id)
	if !found {
		return nil, errors.New("no such client")
	}
	return relyingParty{client, s.settings.prefix}, nil
}

// GetKeyByIDAndClientID implements op.Storage.
func (s storage) GetKeyByIDAndClientID(_ context.Context, keyID, clientID string) (*jose.JSONWebKey, error) {
	if client, found := s.settings.client(clientID); found && client.Authentication == byKey {
		for _, key := range client.Keys {
			if key.ID == keyID {
				return &jose.JSONWebKey{Key: key.parsed, KeyID: key.ID}, nil
			}
		}
	}
	return nil, errors.New("no such key")
}

type clientKey struct{}

// withClient notes which client the certificate of a connection belongs to, and
// tells the library in the one way it knows. What a caller says as a password is
// never looked at.
func (a *App) withClient(r *http.Request) *http.Request {
	client := a.clientOf(r)
	if client == nil {
		return r
	}
	r = r.WithContext(context.WithValue(r.Context(), clientKey{}, client.ID))
	if r.Header.Get("Authorization") == "" {
		r.SetBasicAuth(client.ID, "")
	}
	return r
}

// clientOf finds the client whose certificate a connection was opened with.
func (a *App) clientOf(r *http.Request) *Client {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	for i := range a.settings.Clients {
		c := &a.settings.Clients[i]
		if c.Authentication == byCertificate && slices.Contains(r.TLS.PeerCertificates[0].DNSNames, c.Certificate) {
			return c
		}
	}
	return nil
}

// AuthorizeClientIDSecret implements op.Storage. No client has a password: only
// a certificate counts.
func (s storage) AuthorizeClientIDSecret(ctx context.Context, id, _ string) error {
	if proven, _ := ctx.Value(clientKey{}).(string); proven == "" || proven != id {
		return errors.New("the connection does not have the client's certificate")
	}
	return nil
}
