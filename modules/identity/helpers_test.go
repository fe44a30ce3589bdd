package identity

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// codeOf is what an authenticator app shows.
func codeOf(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}
