package kit

import (
	"log/slog"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// serverLog receives what net/http has to say about connections. It counts
// refused handshakes, and takes the addresses out of everything: a person's
// address is personal.
type serverLog struct {
	log     *slog.Logger
	refused *prometheus.CounterVec
	// quiet is for the listener that strangers reach: what they send at random
	// is counted only.
	quiet bool
}

var address = regexp.MustCompile(`(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+(%\w+)?\]):\d+`)

func (l serverLog) Write(line []byte) (int, error) {
	text := address.ReplaceAllString(strings.TrimSpace(string(line)), "(address)")
	cause, handshake := strings.CutPrefix(text, "http: TLS handshake error from (address): ")
	if !handshake {
		l.log.Warn(text)
		return len(line), nil
	}
	reason := refusal(cause)
	if reason == "" {
		return len(line), nil
	}
	l.refused.WithLabelValues(reason).Inc()
	if !l.quiet {
		l.log.Warn("connection refused", "reason", reason, "error", cause)
	}
	return len(line), nil
}

// refusal names why a handshake failed. It is empty when the other side just
// went away, as port scans and load balancers do. net/http tells the cause only
// as text.
func refusal(cause string) string {
	switch {
	case strings.Contains(cause, "didn't provide a certificate"):
		return "no_certificate"
	case strings.Contains(cause, "signed by unknown authority"):
		return "unknown_authority"
	case strings.HasPrefix(cause, notAllowed):
		return "not_allowed"
	case strings.Contains(cause, "tls: "):
		return "other"
	}
	return ""
}
