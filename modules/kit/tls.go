package kit

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// TLS is a certificate in a folder, and for traffic inside the tenant the
// authority beside it. The files are read again at every handshake, because they
// are renewed while the module runs: a few kilobytes from memory cost far less
// than the handshake, and no moment is left in which the old ones are used.
type TLS struct {
	dir   string
	names []string
	log   *slog.Logger

	mu      sync.Mutex
	current *credentials
	fault   string // what was last logged, so that it is logged once
}

// credentials is what one state of the folder says.
type credentials struct {
	files       [][]byte
	certificate tls.Certificate
	authorities *x509.CertPool
	trusted     map[string]bool // the authorities' certificates, as bytes
}

// ReadTLS reads a module's certificate for traffic inside the tenant: tls.crt,
// tls.key and ca.crt.
func ReadTLS(dir string, log *slog.Logger) (*TLS, error) {
	return readTLS(dir, log, "tls.crt", "tls.key", "ca.crt")
}

// ReadPublicTLS reads a certificate that is shown to people: tls.crt and
// tls.key.
func ReadPublicTLS(dir string, log *slog.Logger) (*TLS, error) {
	return readTLS(dir, log, "tls.crt", "tls.key")
}

func readTLS(dir string, log *slog.Logger, names ...string) (*TLS, error) {
	t := &TLS{dir: dir, names: names, log: log}
	if err := t.reread(); err != nil {
		return nil, err
	}
	return t, nil
}

// now is the newest usable state of the folder. Files that do not fit together
// leave the former state in use.
func (t *TLS) now() *credentials {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.reread()
	if err != nil {
		err = t.reread() // the folder was swapped while it was read
	}
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault != "" && fault != t.fault {
		t.log.Error("a renewed certificate is not usable; the former stays in use", "error", fault)
	}
	t.fault = fault
	return t.current
}

func (t *TLS) reread() error {
	dir := t.dir
	// The kubelet swaps this link, so that behind it all files are of one time.
	if data, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		dir = data
	}
	files := make([][]byte, len(t.names))
	for i, name := range t.names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("read certificate: %w", err)
		}
		files[i] = content
	}
	if t.current != nil && slices.EqualFunc(files, t.current.files, bytes.Equal) {
		return nil
	}
	next, err := parseCredentials(files)
	if err != nil {
		return fmt.Errorf("certificate in %s: %w", t.dir, err)
	}
	if t.current != nil {
		t.log.Info("a renewed certificate is in use", "folder", t.dir, "expires", next.certificate.Leaf.NotAfter)
	}
	t.current = next
	return nil
}

func parseCredentials(files [][]byte) (*credentials, error) {
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return nil, err
	}
	c := &credentials{files: files, certificate: pair}
	if len(files) < 3 {
		return c, nil
	}
	c.authorities, c.trusted = x509.NewCertPool(), map[string]bool{}
	for block, rest := pem.Decode(files[2]); block != nil; block, rest = pem.Decode(rest) {
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("ca.crt: %w", err)
		}
		c.authorities.AddCert(authority)
		c.trusted[string(authority.Raw)] = true
	}
	if len(c.trusted) == 0 {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return c, nil
}

// expiry is when the certificate in use ends.
func (t *TLS) expiry() time.Time { return t.now().certificate.Leaf.NotAfter }

func (t *TLS) own(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &t.now().certificate, nil
}

// inside is how a module speaks to other modules: it demands a certificate of
// the tenant's authority for one of the names in clients.
func (t *TLS) inside(clients []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := t.now()
			return &tls.Config{
				MinVersion:       tls.VersionTLS13,
				NextProtos:       []string{"h2", "http/1.1"},
				Certificates:     []tls.Certificate{now.certificate},
				ClientAuth:       tls.RequireAndVerifyClientCert,
				ClientCAs:        now.authorities,
				VerifyConnection: func(state tls.ConnectionState) error { return checkCaller(state, clients) },
				// A ticket would carry a caller past a change of the authority.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// notAllowed begins the error about a caller of the right authority who is not
// on the list.
const notAllowed = "not a caller of this module: "

func checkCaller(state tls.ConnectionState, clients []string) error {
	names := state.PeerCertificates[0].DNSNames
	if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(clients, name) }) {
		return nil
	}
	return errors.New(notAllowed + strings.Join(names, " "))
}

// health is how the probes and the monitoring are answered: the module's
// certificate, and none demanded.
func (t *TLS) health() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: t.own}
}

// public is how people's browsers are answered: old ones may speak TLS 1.2, but
// only with forward secrecy and authenticated encryption.
func (t *TLS) public() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: t.own,
	}
}

// Client is how this module calls another whose certificate is for serverName,
// <module>.<namespace>.svc. It holds for one connection: the next may need a
// newer authority. Transport sees to that.
func (t *TLS) Client(serverName string) *tls.Config {
	now := t.now()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		ServerName:   serverName,
		RootCAs:      now.authorities,
		Certificates: []tls.Certificate{now.certificate},
	}
}

// handshakeTimeout bounds connecting to another module of the same cluster.
const handshakeTimeout = 5 * time.Second

// Dial opens a plain connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Transport calls other modules with this module's certificate; the host of an
// address must be the name of their certificate. It speaks HTTP/1.1, so that one
// slow upload holds up no other request.
func (t *TLS) Transport(dial Dial) *http.Transport {
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			// The address may be of a replica that has just gone, or a node may not know one
			// that has just come. Nothing was sent, so that another attempt is safe for every
			// request.
			for pause := 100 * time.Millisecond; ; pause *= 2 {
				connection, err := t.connect(ctx, dial, network, address)
				if err == nil || pause > longestRedial || unknownHost(err) {
					return connection, err
				}
				select {
				case <-ctx.Done():
					return nil, err
				case <-time.After(pause):
				}
			}
		},
		MaxIdleConnsPerHost: 32,
		// Well below the idle timeout of Server, so that it is we who close.
		IdleConnTimeout: 30 * time.Second,
		// Longer than a module's slowest statement.
		ResponseHeaderTimeout: time.Minute,
		DisableCompression:    true,
	}
}

// longestRedial is the last pause before a connection is given up, after a second
// and a half in all.
const longestRedial = 800 * time.Millisecond

// unknownHost says whether there is no such module at all.
func unknownHost(err error) bool {
	var unknown *net.DNSError
	return errors.As(err, &unknown) && unknown.IsNotFound
}

func (t *TLS) connect(ctx context.Context, dial Dial, network, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address of a module: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	plain, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	connection := tls.Client(plain, t.Client(name))
	if err := connection.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	return connection, nil
}

// untrusted says whether the caller on a connection could not open it any more:
// its certificate has run out, or its authority is trusted no longer. It is asked
// for every request and so does not read the files itself: the kubelet's probes,
// each a handshake, bring what has changed within seconds.
func (t *TLS) untrusted(state *tls.ConnectionState) bool {
	if state == nil || len(state.VerifiedChains) == 0 {
		return false
	}
	t.mu.Lock()
	trusted := t.current.trusted
	t.mu.Unlock()
	return !slices.ContainsFunc(state.VerifiedChains, func(chain []*x509.Certificate) bool {
		return time.Now().Before(chain[0].NotAfter) && trusted[string(chain[len(chain)-1].Raw)]
	})
}

// closing ends a connection whose caller is trusted no longer after the answer
// under way, so that a busy connection does not outlive its certificate.
func (t *TLS) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t.untrusted(r.TLS) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
