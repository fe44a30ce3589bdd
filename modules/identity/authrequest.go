package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"ejustice.dev/operator/modules/kit"
)

// storage gives the library (github.com/zitadel/oidc) what it keeps. Only the
// library calls it.
type storage struct{ *App }

var _ op.Storage = storage{}

const (
	// requestLife is how long a request may wait for its person to sign in.
	requestLife = time.Hour
	// codeLife is how long a code may wait to be exchanged.
	codeLife = time.Minute
)

// authRequest is a relying party's request to let somebody sign in.
type authRequest struct {
	id           uuid.UUID
	client       string
	redirect     string
	responseMode string
	scopes       []string
	state, nonce string
	challenge    string
	prompt       []string
	maxAge       int64
	createdAt    time.Time
	session      *Session // nil until somebody has signed in
}

func (r *authRequest) GetID() string                      { return r.id.String() }
func (r *authRequest) GetACR() string                     { return "" }
func (r *authRequest) GetClientID() string                { return r.client }
func (r *authRequest) GetNonce() string                   { return r.nonce }
func (r *authRequest) GetScopes() []string                { return r.scopes }
func (r *authRequest) GetState() string                   { return r.state }
func (r *authRequest) GetAudience() []string              { return []string{r.client} }
func (r *authRequest) GetRedirectURI() string             { return r.redirect }
func (r *authRequest) Done() bool                         { return r.session != nil }
func (r *authRequest) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }
func (r *authRequest) GetResponseMode() oidc.ResponseMode { return oidc.ResponseMode(r.responseMode) }
func (r *authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.challenge, Method: oidc.CodeChallengeMethodS256}
}

func (r *authRequest) GetAMR() []string {
	if r.session == nil {
		return nil
	}
	return r.session.AMR
}

func (r *authRequest) GetAuthTime() time.Time {
	if r.session == nil {
		return time.Time{}
	}
	return r.session.SignedInAt
}

func (r *authRequest) GetSubject() string {
	if r.session == nil {
		return ""
	}
	return r.session.PersonID.String()
}

// satisfied says whether a session is as fresh as the client asks.
func (r *authRequest) satisfied(s *Session) bool {
	if slices.Contains(r.prompt, oidc.PromptLogin) {
		return s.SignedInAt.After(r.createdAt)
	}
	return r.maxAge < 0 || !s.SignedInAt.Before(r.createdAt.Add(-time.Duration(r.maxAge)*time.Second))
}

type browserKey struct{}

// CreateAuthRequest implements op.Storage. Only the code flow with PKCE by S256
// is served (RFC 9700 section 2.1.1).
func (s storage) CreateAuthRequest(ctx context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if asked.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || len(asked.CodeChallenge) != 43 {
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge with code_challenge_method S256 is required")
	}
	if !slices.Contains(asked.Scopes, oidc.ScopeOpenID) {
		return nil, oidc.ErrInvalidScope().WithDescription("the scope openid is required")
	}
	if len(asked.State) > 2048 || len(asked.Nonce) > 2048 {
		return nil, oidc.ErrInvalidRequest().WithDescription("state or nonce is too long")
	}
	r := &authRequest{
		id: uuid.New(), client: asked.ClientID, redirect: asked.RedirectURI, responseMode: string(asked.ResponseMode),
		scopes: asked.Scopes, state: asked.State, nonce: asked.Nonce, challenge: asked.CodeChallenge,
		prompt: append([]string{}, asked.Prompt...), maxAge: -1, createdAt: s.now(),
	}
	if asked.MaxAge != nil {
		r.maxAge = int64(min(*asked.MaxAge, 1<<31))
	}
	browser, _ := ctx.Value(browserKey{}).(string)
	_, err := s.pool.Exec(ctx, `INSERT INTO auth_request (id, client_id, redirect_uri, response_mode, scopes, state, nonce, code_challenge,
		prompt, max_age, browser_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		r.id, r.client, r.redirect, r.responseMode, r.scopes, r.state, r.nonce, r.challenge, r.prompt, r.maxAge, digest(browser), r.createdAt)
	if err != nil {
		return nil, fmt.Errorf("store request: %w", err)
	}
	return r, nil
}

const requestColumns = `SELECT r.id, r.client_id, r.redirect_uri, r.response_mode, r.scopes, r.state, r.nonce, r.code_challenge, r.prompt, r.max_age, r.created_at,
	coalesce(r.session_id, '00000000-0000-0000-0000-000000000000') FROM auth_request r `

// readRequest reads a request by the end of a statement. There may be none: then
// it is kit.NotFound.
func (a *App) readRequest(ctx context.Context, condition string, values ...any) (*authRequest, error) {
	r := &authRequest{}
	var session uuid.UUID
	err := a.pool.QueryRow(ctx, requestColumns+condition, values...).Scan(&r.id, &r.client, &r.redirect, &r.responseMode, &r.scopes,
		&r.state, &r.nonce, &r.challenge, &r.prompt, &r.maxAge, &r.createdAt, &session)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, kit.NotFound()
	}
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if session != uuid.Nil {
		r.session, err = a.sessionByID(ctx, session)
		if err != nil && !errors.Is(err, errSessionEnded) {
			return nil, err
		}
	}
	return r, nil
}

// requestOf finds the request that a browser began.
func (a *App) requestOf(ctx context.Context, id, browser string) (*authRequest, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return nil, kit.NotFound()
	}
	return a.readRequest(ctx, `WHERE r.id = $1 AND r.browser_hash = $2 AND r.created_at > $3 AND r.code_hash IS NULL`,
		parsed, digest(browser), a.now().Add(-requestLife))
}

// answer notes who has signed in for a request.
func (a *App) answer(ctx context.Context, r *authRequest, s *Session) error {
	if _, err := a.pool.Exec(ctx, `UPDATE auth_request SET session_id = $2 WHERE id = $1`, r.id, s.ID); err != nil {
		return fmt.Errorf("answer request: %w", err)
	}
	return nil
}

// AuthRequestByID implements op.Storage. A request is found only by the browser
// that began it: whoever lures a person into signing in for a request of their
// own gets nothing.
func (s storage) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	browser, _ := ctx.Value(browserKey{}).(string)
	r, err := s.requestOf(ctx, id, browser)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// SaveAuthCode implements op.Storage. A request has one code.
func (s storage) SaveAuthCode(ctx context.Context, id, code string) error {
	made, err := s.pool.Exec(ctx, `UPDATE auth_request SET code_hash = $2, code_made_at = $3 WHERE id = $1 AND code_hash IS NULL`, id, digest(code), s.now())
	if err == nil && made.RowsAffected() != 1 {
		return oidc.ErrInvalidRequest().WithDescription("the request has been answered")
	}
	if err != nil {
		return fmt.Errorf("store code: %w", err)
	}
	return nil
}

// AuthRequestByCode implements op.Storage. A code is used once; when it comes
// again, somebody else has it, and the session ends (RFC 6749 section 4.1.2).
func (s storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	used, err := s.pool.Exec(ctx, `UPDATE auth_request SET code_used_at = $2 WHERE code_hash = $1 AND code_used_at IS NULL AND code_made_at > $3`,
		digest(code), s.now(), s.now().Add(-codeLife))
	if err != nil {
		return nil, fmt.Errorf("use code: %w", err)
	}
	r, err := s.readRequest(ctx, `WHERE r.code_hash = $1`, digest(code))
	if err != nil {
		return nil, err
	}
	if used.RowsAffected() != 1 {
		if r.session != nil {
			err = s.endSession(ctx, r.session.ID, uuid.Nil)
		}
		return nil, errors.Join(errors.New("the code was used or is too old"), err)
	}
	if r.session == nil {
		return nil, errSessionEnded
	}
	return r, nil
}

// DeleteAuthRequest implements op.Storage. The request stays for a while, so that
// a second use of its code is noticed.
func (s storage) DeleteAuthRequest(context.Context, string) error { return nil }
