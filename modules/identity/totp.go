package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Time-based one-time codes (RFC 6238) with the parameters that every
// authenticator app knows.
const (
	totpPeriod = 30 // seconds
	totpSkew   = 1  // steps before and after
	totpBytes  = 20
)

var hotpOptions = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// newTOTPSecret makes a secret in base32, as apps take it.
func newTOTPSecret() string {
	secret := make([]byte, totpBytes)
	_, _ = rand.Read(secret) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// totpAddress is what the picture for an authenticator app says
// (github.com/google/google-authenticator/wiki/Key-Uri-Format). The issuer is
// named by its host: short, so that the picture is coarse enough for any camera,
// and the same in every language.
func totpAddress(secret, host, login string) string {
	return "otpauth://totp/" + url.PathEscape(host+":"+login) + "?secret=" + secret + "&issuer=" + url.QueryEscape(host)
}

// totpStep finds the time step of which code is the code, one step off at most,
// or reports false. It compares with every step whatever it finds.
func totpStep(secret, code string, now time.Time) (int64, bool) {
	step, found := int64(0), false
	for at := now.Unix()/totpPeriod - totpSkew; at <= now.Unix()/totpPeriod+totpSkew; at++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(at), hotpOptions)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, found = at, true
		}
	}
	return step, found
}

// verifyTOTP says whether code is one of the person's that was not used yet.
func (a *App) verifyTOTP(ctx context.Context, person uuid.UUID, code string) (bool, error) {
	var secret sealed
	err := a.pool.QueryRow(ctx, `SELECT totp_secret, totp_key_id FROM person WHERE id = $1 AND totp_secret IS NOT NULL`, person).
		Scan(&secret.content, &secret.key)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read second factor: %w", err)
	}
	plain, err := a.open(ctx, forTOTP, person, secret)
	if err != nil {
		return false, err
	}
	step, right := totpStep(string(plain), code, a.now())
	if !right {
		return false, nil
	}
	used, err := a.pool.Exec(ctx, `UPDATE person SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2`, person, step)
	if err != nil {
		return false, fmt.Errorf("use code: %w", err)
	}
	return used.RowsAffected() == 1, nil
}

// setTOTP makes a secret that was proven at a time step the person's second
// factor, and returns new recovery codes, which are shown once.
func (a *App) setTOTP(ctx context.Context, person uuid.UUID, secret string, step int64) ([]string, error) {
	kept, err := a.seal(forTOTP, person, []byte(secret))
	if err != nil {
		return nil, err
	}
	var codes []string
	err = pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE person SET totp_secret = $2, totp_key_id = $3, totp_last_step = $4 WHERE id = $1`,
			person, kept.content, kept.key, step); err != nil {
			return fmt.Errorf("store second factor: %w", err)
		}
		var err error
		codes, err = renewRecoveryCodes(ctx, tx, person)
		return err
	})
	return codes, err
}

const (
	recoveryCodes = 10
	// recoveryLength is 80 bits: enough for a plain digest, as nobody can try them all.
	recoveryLength = 16
)

// renewRecoveryCodes replaces a person's recovery codes.
func renewRecoveryCodes(ctx context.Context, tx pgx.Tx, person uuid.UUID) ([]string, error) {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM recovery_code WHERE person_id = $1`, person)
	codes := make([]string, recoveryCodes)
	for i := range codes {
		code := randomCode(recoveryLength)
		codes[i] = grouped(code)
		batch.Queue(`INSERT INTO recovery_code (person_id, hash) VALUES ($1, $2)`, person, recoveryHash(code))
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("store recovery codes: %w", err)
	}
	return codes, nil
}

// useRecoveryCode says whether code is one of the person's, and ends it.
func (a *App) useRecoveryCode(ctx context.Context, person uuid.UUID, code string) (bool, error) {
	used, err := a.pool.Exec(ctx, `UPDATE recovery_code SET used_at = $3 WHERE person_id = $1 AND hash = $2 AND used_at IS NULL`,
		person, recoveryHash(code), a.now())
	if err != nil {
		return false, fmt.Errorf("use recovery code: %w", err)
	}
	return used.RowsAffected() == 1, nil
}

func recoveryHash(code string) []byte {
	sum := sha256.Sum256([]byte("recovery\x00" + code))
	return sum[:]
}

// letters are what codes are made of: none looks like another.
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// randomCode makes a code of n letters, 5 bits each.
func randomCode(n int) string {
	code := make([]byte, n)
	_, _ = rand.Read(code) // never fails
	for i, b := range code {
		code[i] = letters[b%32]
	}
	return string(code)
}
