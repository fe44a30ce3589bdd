package vault

import (
	"crypto/rand"
	"encoding/base64"
)

// newPassword returns 32 random bytes as text.
func newPassword() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}
