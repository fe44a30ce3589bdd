package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Authentication method references (RFC 8176) of passkeys: one that stays in its
// device, and one that its maker copies to others.
const (
	amrDeviceKey = "hwk"
	amrCopiedKey = "swk"
)

// maxPasskeys is how many one person may have.
const maxPasskeys = 10

// newWebAuthn prepares Web Authentication for the issuer's own host, and no
// other.
func newWebAuthn(settings *Settings) (*webauthn.WebAuthn, error) {
	issuer, err := url.Parse(settings.Issuer)
	if err != nil {
		return nil, fmt.Errorf("read issuer: %w", err)
	}
	library, err := webauthn.New(&webauthn.Config{
		RPID: issuer.Hostname(), RPDisplayName: settings.Tenant.Name, RPOrigins: []string{originOf(settings.Issuer)},
		AttestationPreference:  protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{UserVerification: protocol.VerificationPreferred},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare passkeys: %w", err)
	}
	return library, nil
}

// Passkey is one that a person has set up.
type Passkey struct {
	ID                []byte
	CreatedAt, UsedAt time.Time
	record            webauthn.Credential
}

// holder shows a person to the library.
type holder struct {
	Person
	passkeys []Passkey
}

func (h holder) WebAuthnID() []byte          { return h.ID[:] }
func (h holder) WebAuthnName() string        { return h.Login }
func (h holder) WebAuthnDisplayName() string { return h.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	records := make([]webauthn.Credential, len(h.passkeys))
	for i, one := range h.passkeys {
		records[i] = one.record
	}
	return records
}

// passkeys lists a person's passkeys, the oldest first.
func (a *App) passkeys(ctx context.Context, person uuid.UUID) ([]Passkey, error) {
	rows, _ := a.pool.Query(ctx, `SELECT id, created_at, coalesce(used_at, '0001-01-01 00:00:00Z'), record FROM passkey WHERE person_id = $1 ORDER BY created_at`, person)
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Passkey, error) {
		var one Passkey
		err := row.Scan(&one.ID, &one.CreatedAt, &one.UsedAt, &one.record)
		return one, err
	})
	if err != nil {
		return nil, fmt.Errorf("read passkeys: %w", err)
	}
	return found, nil
}

// errCeremony says that a browser's answer does not fit what it was asked.
var errCeremony = errors.New("the passkey was not accepted")

// keepCeremony keeps what a browser is asked.
func (a *App) keepCeremony(ctx context.Context, s *Session, asked *webauthn.SessionData) error {
	if _, err := a.pool.Exec(ctx, `UPDATE session SET ceremony = $2 WHERE id = $1`, s.ID, asked); err != nil {
		return fmt.Errorf("keep ceremony: %w", err)
	}
	return nil
}

// takeCeremony takes what a browser was asked: it may answer once.
func (a *App) takeCeremony(ctx context.Context, s *Session) (webauthn.SessionData, error) {
	var asked webauthn.SessionData
	err := a.pool.QueryRow(ctx, `UPDATE session n SET ceremony = NULL FROM session o WHERE n.id = $1 AND o.id = n.id AND o.ceremony IS NOT NULL RETURNING o.ceremony`, s.ID).Scan(&asked)
	if errors.Is(err, pgx.ErrNoRows) {
		return asked, errCeremony
	}
	if err != nil {
		return asked, fmt.Errorf("take ceremony: %w", err)
	}
	return asked, nil
}

// askForNewPasskey says what a browser is to be asked to make a passkey.
func (a *App) askForNewPasskey(ctx context.Context, v *visitor) (string, error) {
	passkeys, err := a.passkeys(ctx, v.person.ID)
	if err != nil {
		return "", err
	}
	h := holder{v.person, passkeys}
	options, asked, err := a.webauthn.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return "", fmt.Errorf("ask for passkey: %w", err)
	}
	return a.asked(ctx, v, options, asked)
}

// askForPasskey says what a browser is to be asked to show a passkey; it is empty
// when the person has none.
func (a *App) askForPasskey(ctx context.Context, v *visitor) (string, error) {
	passkeys, err := a.passkeys(ctx, v.person.ID)
	if err != nil || len(passkeys) == 0 {
		return "", err
	}
	options, asked, err := a.webauthn.BeginLogin(holder{v.person, passkeys})
	if err != nil {
		return "", fmt.Errorf("ask for passkey: %w", err)
	}
	return a.asked(ctx, v, options, asked)
}

func (a *App) asked(ctx context.Context, v *visitor, options any, asked *webauthn.SessionData) (string, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return "", fmt.Errorf("ask for passkey: %w", err)
	}
	return string(text), a.keepCeremony(ctx, v.session, asked)
}

// addPasskey stores the passkey that a browser has made.
func (a *App) addPasskey(ctx context.Context, v *visitor, answer string) error {
	asked, err := a.takeCeremony(ctx, v.session)
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return errCeremony
	}
	passkeys, err := a.passkeys(ctx, v.person.ID)
	if err != nil {
		return err
	}
	record, err := a.webauthn.CreateCredential(holder{v.person, passkeys}, asked, parsed)
	if err != nil || len(passkeys) >= maxPasskeys {
		return errCeremony
	}
	added, err := a.pool.Exec(ctx, `INSERT INTO passkey (id, person_id, record, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
		record.ID, v.person.ID, record, a.now())
	if err == nil && added.RowsAffected() != 1 {
		return errCeremony
	}
	if err != nil {
		return fmt.Errorf("store passkey: %w", err)
	}
	return nil
}

// verifyPasskey says by which method somebody has shown one of their passkeys.
func (a *App) verifyPasskey(ctx context.Context, v *visitor, answer string) (method string, err error) {
	asked, err := a.takeCeremony(ctx, v.session)
	if err != nil {
		return "", err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return "", errCeremony
	}
	passkeys, err := a.passkeys(ctx, v.person.ID)
	if err != nil {
		return "", err
	}
	record, err := a.webauthn.ValidateLogin(holder{v.person, passkeys}, asked, parsed)
	// A counter that went back means that somebody has a copy.
	if err != nil || record.Authenticator.CloneWarning {
		return "", errCeremony
	}
	if _, err := a.pool.Exec(ctx, `UPDATE passkey SET record = $2, used_at = $3 WHERE id = $1`, record.ID, record, a.now()); err != nil {
		return "", fmt.Errorf("note use of passkey: %w", err)
	}
	if record.Flags.BackupEligible {
		return amrCopiedKey, nil
	}
	return amrDeviceKey, nil
}
