package kit

import (
	"time"

	"github.com/google/uuid"
)

// NewTestKey makes a key of bytes, for tests of what is encrypted with it.
func NewTestKey(id uuid.UUID, plain []byte) (Key, error) { return newKey(id, plain) }

// SetClock has the keyring believe another time.
func (k *Keyring) SetClock(now func() time.Time) { k.now = now }

// LookAgain has the session looked at before its time.
func (v *Vault) LookAgain() { v.lookAgain() }
