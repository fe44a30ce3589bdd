package identity

import (
	"io"
	"strings"
	"sync"
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

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// errorsOnly passes on the lines about errors.
type errorsOnly struct{ io.Writer }

func (e errorsOnly) Write(p []byte) (int, error) {
	if strings.Contains(string(p), `"level":"ERROR"`) {
		return e.Writer.Write(p)
	}
	return len(p), nil
}
