// Package tlstest gives tests an authority, certificates and folders of them, as
// cert-manager and the kubelet give them to a module.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	// PEM is the authority's own certificate.
	PEM  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New makes an authority.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "tenant"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = sign(t, template, template, a.key, a.key)
	a.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	return a
}

// Issue makes a certificate for DNS names and its key, both as PEM. The first
// hour of the twelve it lasts has passed.
func (a *Authority) Issue(t testing.TB, names ...string) (certificate, key []byte) {
	t.Helper()
	private := newKey(t)
	cert := sign(t, &x509.Certificate{
		SerialNumber: serial(t), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(11 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, private, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Folder makes a folder with a certificate for names, as a mounted Secret.
func (a *Authority) Folder(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	a.Renew(t, dir, a.PEM, names...)
	return dir
}

// Renew puts a new certificate into a folder, beside the authorities to trust.
func (a *Authority) Renew(t testing.TB, dir string, trust []byte, names ...string) {
	t.Helper()
	certificate, key := a.Issue(t, names...)
	Swap(t, dir, map[string][]byte{"tls.crt": certificate, "tls.key": key, "ca.crt": trust})
}

// Swap replaces the files of a folder at once, as the kubelet does: the files are
// links through ..data, which is a link to a folder that is never changed.
func Swap(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	fresh, err := os.MkdirTemp(dir, "..")
	check(err)
	for name, content := range files {
		check(os.WriteFile(filepath.Join(fresh, name), content, 0o600))
	}
	data, next := filepath.Join(dir, "..data"), filepath.Join(dir, "..data_tmp")
	former, _ := os.Readlink(data)
	check(os.Symlink(filepath.Base(fresh), next))
	check(os.Rename(next, data))
	for name := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			check(os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
		}
	}
	if former != "" {
		check(os.RemoveAll(filepath.Join(dir, former)))
	}
}

// Client calls, whatever the host of the address, the server with a certificate
// for server, and shows a certificate for names if there are any.
func (a *Authority) Client(t testing.TB, server string, names ...string) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	config := &tls.Config{RootCAs: roots, ServerName: server, MinVersion: tls.VersionTLS12}
	if len(names) > 0 {
		certificate, key := a.Issue(t, names...)
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Listen opens a port of this machine.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sign(t testing.TB, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
