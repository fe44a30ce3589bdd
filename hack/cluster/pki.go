package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// identity is one certificate: whose, signed by which authority, good for which
// names and addresses (none: a client only).
type identity struct {
	file, authority, user, group string
	names                        []string
}

func identities() []identity {
	local := []string{"localhost", "127.0.0.1", hostIP}
	all := []identity{
		{"etcd", "etcd-ca", "etcd", "", local},
		{"apiserver-etcd", "etcd-ca", "apiserver", "", nil},
		{"apiserver", "ca", "kube-apiserver", "", append(local, apiService, "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local")},
		{"apiserver-kubelet", "ca", "kube-apiserver-kubelet-client", "ejustice:kubelet-clients", nil},
		{"aggregator", "aggregator-ca", "aggregator", "", nil},
		{"registry", "ca", "registry", "", []string{hostIP}},
		{"admin", "ca", "admin", "system:masters", nil},
		{"controller-manager", "ca", "system:kube-controller-manager", "", nil},
		{"scheduler", "ca", "system:kube-scheduler", "", nil},
		{"kube-proxy", "ca", "system:kube-proxy", "", nil},
		{"kube-router", "ca", "ejustice:kube-router", "", nil},
		{"provisioner", "ca", "ejustice:provisioner", "", nil},
	}
	for _, n := range nodes {
		all = append(all, identity{n.name, "ca", "system:node:" + n.name, "system:nodes", []string{n.name, n.ip}})
	}
	return all
}

// kubeconfigs are the identities that speak to the apiserver.
var kubeconfigs = []string{"admin", "controller-manager", "scheduler", "kube-proxy", "kube-router", "provisioner"}

func pki(file string) string { return state("pki", file) }

// writePKI makes the authorities, certificates and kubeconfigs that are not
// there yet. They live as long as the cluster.
func writePKI() error {
	if err := os.MkdirAll(pki(""), 0o700); err != nil {
		return err
	}
	if exists(pki("complete")) {
		return nil
	}
	authorities := map[string]*authority{}
	for _, name := range []string{"ca", "etcd-ca", "aggregator-ca"} {
		a, err := newAuthority(name)
		if err != nil {
			return fmt.Errorf("authority %s: %w", name, err)
		}
		authorities[name] = a
	}
	for _, id := range identities() {
		if err := authorities[id.authority].issue(id); err != nil {
			return fmt.Errorf("certificate %s: %w", id.file, err)
		}
	}
	if _, err := writeKey("service-accounts"); err != nil {
		return err
	}
	users := kubeconfigs
	for _, n := range nodes {
		users = append(users, n.name)
	}
	for _, user := range users {
		if err := writeKubeconfig(user); err != nil {
			return fmt.Errorf("kubeconfig %s: %w", user, err)
		}
	}
	return os.WriteFile(pki("complete"), nil, 0o600)
}

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(name string) (*authority, error) {
	key, err := writeKey(name)
	if err != nil {
		return nil, err
	}
	t := certificateFor(pkix.Name{CommonName: "ejustice local " + name})
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if t, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return &authority{t, key}, writePEM(name+".crt", "CERTIFICATE", der)
}

func (a *authority) issue(id identity) error {
	key, err := writeKey(id.file)
	if err != nil {
		return err
	}
	subject := pkix.Name{CommonName: id.user}
	if id.group != "" {
		subject.Organization = []string{id.group}
	}
	t := certificateFor(subject)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	for _, name := range id.names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(id.file+".crt", "CERTIFICATE", der)
}

func certificateFor(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
}

func writeKey(name string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(name+".key", "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(pki(file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func writeKubeconfig(user string) error {
	encode := func(file string) string {
		b, _ := os.ReadFile(pki(file))
		return base64.StdEncoding.EncodeToString(b)
	}
	return os.WriteFile(filepath.Clean(kubeconfig(user)), fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: ejustice
clusters:
- name: ejustice
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: %[3]s
  user: {client-certificate-data: %[4]s, client-key-data: %[5]s}
contexts:
- name: ejustice
  context: {cluster: ejustice, user: %[3]s}
`, apiserver, encode("ca.crt"), user, encode(user+".crt"), encode(user+".key")), 0o600)
}
