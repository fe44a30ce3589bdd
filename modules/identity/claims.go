package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// claimGrants is the claim that holds the roles.
const claimGrants = "ejustice_grants"

// claimsOf is what tokens say of a session beside what the protocol has them
// say: who, in which session, how strongly signed in, in which roles.
func (a *App) claimsOf(ctx context.Context, s *Session) (map[string]any, error) {
	p, err := findPerson(ctx, a.pool, "id", s.PersonID, a.now())
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"sid": s.ID.String(), "name": p.Name, "amr": s.AMR, claimGrants: p.Grants.withStrength(s.AMR),
	}, nil
}

// SetUserinfoFromScopes implements op.Storage; SetUserinfoFromRequest does it.
func (s storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest implements op.CanSetUserinfoFromRequest: the ID token.
func (s storage) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, request op.IDTokenRequest, _ []string) error {
	session, _, _, err := origin(request)
	if err != nil {
		return err
	}
	return s.fill(ctx, info, session)
}

func (s storage) fill(ctx context.Context, info *oidc.UserInfo, session *Session) error {
	claims, err := s.claimsOf(ctx, session)
	if err != nil {
		return err
	}
	info.Subject = session.PersonID.String()
	for name, value := range claims {
		if name == "name" {
			info.Name = value.(string)
			continue
		}
		info.AppendClaims(name, value)
	}
	return nil
}

// GetPrivateClaimsFromScopes implements op.Storage;
// GetPrivateClaimsFromRequest is called instead.
func (s storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, errors.New("not used")
}

// GetPrivateClaimsFromRequest implements op.CanGetPrivateClaimsFromRequest: the
// access token.
func (s storage) GetPrivateClaimsFromRequest(ctx context.Context, request op.TokenRequest, _ []string) (map[string]any, error) {
	session, _, _, err := origin(request)
	if err != nil {
		return nil, err
	}
	return s.claimsOf(ctx, session)
}

// ValidateJWTProfileScopes implements op.Storage. Nobody gets tokens for an
// assertion.
func (s storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, oidc.ErrUnsupportedGrantType()
}

// accessToken is what is known of a token that was given out.
type accessToken struct {
	client          string
	scopes          []string
	issued, expires time.Time
	session         *Session
}

// tokenByID finds a token that still holds, of a session that still does.
func (s storage) tokenByID(ctx context.Context, id, subject string) (accessToken, error) {
	var t accessToken
	var session uuid.UUID
	parsed, err := uuid.Parse(id)
	if err != nil {
		return t, errSessionEnded
	}
	err = s.pool.QueryRow(ctx, `SELECT client_id, scopes, issued_at, expires_at, session_id FROM access_token WHERE id = $1 AND expires_at > $2`, parsed, s.now()).
		Scan(&t.client, &t.scopes, &t.issued, &t.expires, &session)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, errSessionEnded
	}
	if err != nil {
		return t, fmt.Errorf("read access token: %w", err)
	}
	if t.session, err = s.sessionByID(ctx, session); err != nil {
		return t, err
	}
	if t.session.PersonID.String() != subject {
		return t, errSessionEnded
	}
	return t, nil
}

// SetUserinfoFromToken implements op.Storage.
func (s storage) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, id, subject, _ string) error {
	t, err := s.tokenByID(ctx, id, subject)
	if err != nil {
		return oidc.ErrAccessDenied().WithDescription("the session has ended")
	}
	return s.fill(ctx, info, t.session)
}

// SetIntrospectionFromToken implements op.Storage. An error means that the token
// is not active.
func (s storage) SetIntrospectionFromToken(ctx context.Context, answer *oidc.IntrospectionResponse, id, subject, _ string) error {
	t, err := s.tokenByID(ctx, id, subject)
	if err != nil {
		return err
	}
	info := &oidc.UserInfo{}
	if err := s.fill(ctx, info, t.session); err != nil {
		return err
	}
	answer.SetUserInfo(info)
	answer.Scope, answer.ClientID, answer.TokenType = t.scopes, t.client, oidc.BearerToken
	answer.Audience, answer.Issuer, answer.JWTID = []string{t.client}, s.settings.Issuer, strings.ToLower(id)
	answer.IssuedAt, answer.Expiration, answer.AuthTime = oidc.FromTime(t.issued), oidc.FromTime(t.expires), oidc.FromTime(t.session.SignedInAt)
	return nil
}
