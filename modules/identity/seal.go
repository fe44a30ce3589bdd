package identity

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"

	"ejustice.dev/operator/modules/kit"
)

// sealed is a secret as the database keeps it.
type sealed struct {
	content []byte
	key     uuid.UUID
}

// What a secret is for. Its place is part of its encryption: one row's secret
// cannot be put into another.
const (
	forTOTP      = "totp"
	forEnrolment = "enrolment"
	forSigning   = "signing"
	forRecovery  = "recovery"
)

// seal encrypts a secret of the row id.
func (a *App) seal(use string, id uuid.UUID, plain []byte) (sealed, error) {
	key := a.keys.Own()
	var out bytes.Buffer
	w, err := key.Seal(&out, uuid.NewSHA1(id, []byte(use)))
	if err != nil {
		return sealed{}, fmt.Errorf("seal secret: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return sealed{}, fmt.Errorf("seal secret: %w", err)
	}
	if err := w.Close(); err != nil {
		return sealed{}, fmt.Errorf("seal secret: %w", err)
	}
	return sealed{out.Bytes(), key.ID}, nil
}

// open decrypts what seal made.
func (a *App) open(ctx context.Context, use string, id uuid.UUID, s sealed) ([]byte, error) {
	key, err := a.keys.Key(ctx, s.key)
	if err != nil {
		return nil, err
	}
	return unseal(key, use, id, s.content)
}

func unseal(key kit.Key, use string, id uuid.UUID, content []byte) ([]byte, error) {
	r, err := key.Open(bytes.NewReader(content), uuid.NewSHA1(id, []byte(use)))
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	return plain, nil
}
