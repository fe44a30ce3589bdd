package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// refreshRequest is a request for new tokens by a refresh token.
type refreshRequest struct {
	client  string
	scopes  []string
	session *Session
}

func (r *refreshRequest) GetAMR() []string            { return r.session.AMR }
func (r *refreshRequest) GetAudience() []string       { return []string{r.client} }
func (r *refreshRequest) GetAuthTime() time.Time      { return r.session.SignedInAt }
func (r *refreshRequest) GetClientID() string         { return r.client }
func (r *refreshRequest) GetScopes() []string         { return r.scopes }
func (r *refreshRequest) GetSubject() string          { return r.session.PersonID.String() }
func (r *refreshRequest) SetCurrentScopes(s []string) { r.scopes = s }

// origin is what a request of either kind says of itself.
func origin(request any) (session *Session, client string, scopes []string, err error) {
	switch r := request.(type) {
	case *authRequest:
		session, client, scopes = r.session, r.client, r.scopes
	case *refreshRequest:
		session, client, scopes = r.session, r.client, r.scopes
	}
	if session == nil {
		return nil, "", nil, errSessionEnded
	}
	return session, client, scopes, nil
}

// CreateAccessToken implements op.Storage.
func (s storage) CreateAccessToken(ctx context.Context, request op.TokenRequest) (string, time.Time, error) {
	session, client, scopes, err := origin(request)
	if err != nil {
		return "", time.Time{}, err
	}
	id, expires, err := s.newAccessToken(ctx, s.pool, session, client, scopes)
	return id, expires, err
}

type execer interface {
	querier
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (s storage) newAccessToken(ctx context.Context, db execer, session *Session, client string, scopes []string) (string, time.Time, error) {
	id, now := uuid.New(), s.now()
	expires := now.Add(tokenLife)
	var done bool
	err := db.QueryRow(ctx, `INSERT INTO access_token (id, session_id, client_id, scopes, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING true`,
		id, session.ID, client, scopes, now, expires).Scan(&done)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("store access token: %w", err)
	}
	return id.String(), expires, nil
}

// errReused says that a refresh token came a second time.
var errReused = errors.New("the refresh token was used before; the session has been ended")

// CreateAccessAndRefreshTokens implements op.Storage. current is the refresh
// token that the new one replaces, or empty after a code.
func (s storage) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (id, refresh string, expires time.Time, err error) {
	session, client, scopes, err := origin(request)
	if err != nil {
		return "", "", time.Time{}, err
	}
	refresh = newSecret()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if current != "" {
			used, err := tx.Exec(ctx, `UPDATE refresh_token SET used_at = $2 WHERE hash = $1 AND used_at IS NULL`, digest(current), s.now())
			if err != nil {
				return fmt.Errorf("use refresh token: %w", err)
			}
			if used.RowsAffected() != 1 {
				return errReused
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO refresh_token (hash, session_id, client_id, scopes, issued_at) VALUES ($1, $2, $3, $4, $5)`,
			digest(refresh), session.ID, client, scopes, s.now())
		if err != nil {
			return fmt.Errorf("store refresh token: %w", err)
		}
		id, expires, err = s.newAccessToken(ctx, tx, session, client, scopes)
		return err
	})
	if errors.Is(err, errReused) {
		err = errors.Join(err, s.endSession(ctx, session.ID, uuid.Nil))
		return "", "", time.Time{}, oidc.ErrInvalidGrant().WithParent(err)
	}
	if err != nil {
		return "", "", time.Time{}, err
	}
	return id, refresh, expires, s.touch(ctx, session)
}

// TokenRequestByRefreshToken implements op.Storage. A token that was used before
// is known to two: whoever has it, the session ends (RFC 9700 section 4.14.2).
func (s storage) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	r, session, used, err := s.readRefresh(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case used:
		return nil, errors.Join(errReused, s.endSession(ctx, session, uuid.Nil))
	}
	if r.session, err = s.sessionByID(ctx, session); err != nil {
		return nil, err
	}
	return r, nil
}

func (s storage) readRefresh(ctx context.Context, token string) (r *refreshRequest, session uuid.UUID, used bool, err error) {
	r = &refreshRequest{}
	err = s.pool.QueryRow(ctx, `SELECT client_id, scopes, session_id, used_at IS NOT NULL FROM refresh_token WHERE hash = $1`, digest(token)).
		Scan(&r.client, &r.scopes, &session, &used)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, uuid.Nil, false, op.ErrInvalidRefreshToken
	}
	if err != nil {
		return nil, uuid.Nil, false, fmt.Errorf("read refresh token: %w", err)
	}
	return r, session, used, nil
}

// GetRefreshTokenInfo implements op.Storage. The session stands for the token.
func (s storage) GetRefreshTokenInfo(ctx context.Context, client, token string) (person, id string, err error) {
	r, session, _, err := s.readRefresh(ctx, token)
	if err != nil {
		return "", "", err
	}
	if r.client != client {
		return "", "", op.ErrInvalidRefreshToken
	}
	return "", session.String(), nil
}

// RevokeToken implements op.Storage. A client that gives up a token of a session
// gives up all that it has of that session; the person stays signed in elsewhere.
func (s storage) RevokeToken(ctx context.Context, id, _, client string) *oidc.Error {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return nil // there is no such token, and that is what was asked for
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		const sessions = `(SELECT $1::uuid UNION SELECT session_id FROM access_token WHERE id = $1 AND client_id = $2)`
		for _, table := range []string{"refresh_token", "access_token"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE client_id = $2 AND session_id IN `+sessions, parsed, client); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return oidc.ErrServerError().WithParent(err)
	}
	return nil
}

// TerminateSession implements op.Storage; TerminateSessionFromRequest is called
// instead.
func (s storage) TerminateSession(context.Context, string, string) error { return nil }

// TerminateSessionFromRequest implements op.CanTerminateSessionFromRequest. The
// session of the ID token ends everywhere. Without one the person is asked.
func (s storage) TerminateSessionFromRequest(ctx context.Context, request *op.EndSessionRequest) (string, error) {
	if request.IDTokenHintClaims == nil {
		return s.settings.prefix + "/sign-out", nil
	}
	session, err := uuid.Parse(request.IDTokenHintClaims.SessionID)
	if err != nil {
		return "", oidc.ErrInvalidRequest().WithDescription("id_token_hint has no sid")
	}
	person, err := uuid.Parse(request.UserID)
	if err != nil {
		return "", oidc.ErrInvalidRequest().WithDescription("id_token_hint has no sub")
	}
	return request.RedirectURI, s.endSession(ctx, session, person)
}

// Health implements op.Storage.
func (s storage) Health(ctx context.Context) error { return s.pool.Ping(ctx) }
