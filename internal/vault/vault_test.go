package vault

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

func TestHolds(t *testing.T) {
	have := map[string]any{
		"ttl": json.Number("3600"), "names": []any{"a", "b"}, "empty": nil, "flag": true, "text": "x\n",
		"nested": map[string]any{"version": "2", "more": "y"}, "unasked": "z",
	}
	tests := []struct {
		name string
		want map[string]any
		ok   bool
	}{
		{"numbers", map[string]any{"ttl": 3600}, true},
		{"another number", map[string]any{"ttl": 60}, false},
		{"lists", map[string]any{"names": []string{"a", "b"}}, true},
		{"another order", map[string]any{"names": []string{"b", "a"}}, false},
		{"an empty list comes back as nothing", map[string]any{"empty": []string{}}, true},
		{"flags", map[string]any{"flag": false}, false},
		{"space around a text", map[string]any{"text": "x"}, true},
		{"part of a map", map[string]any{"nested": map[string]any{"version": "2"}}, true},
		{"another part", map[string]any{"nested": map[string]any{"version": "1"}}, false},
		{"something that is not there", map[string]any{"missing": "x"}, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := holds(have, tc.want); got != tc.ok {
				t.Errorf("holds = %t, want %t", got, tc.ok)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	answer := func(code int, said ...string) error {
		return &api.ResponseError{HTTPMethod: http.MethodPut, URL: "https://vault.example:8200/v1/sys/mounts/x", StatusCode: code, Errors: said}
	}
	tests := []struct {
		name         string
		err          error
		reason, says string
	}{
		{"sealed", answer(503, "Vault is sealed"), "VaultSealed", "unseal it"},
		{"standby", answer(503), "VaultUnreachable", "answers with an error"},
		{"broken", answer(500, "internal error"), "VaultUnreachable", "internal error"},
		{"forbidden", answer(403, "permission denied"), "VaultForbidden", "PUT sys/mounts/x"},
		{"refused", answer(400, "missing name"), "VaultRefused", "missing name"},
		{"no connection", &url.Error{Op: "Get", URL: "https://vault.example:8200", Err: errors.New("connection refused")}, "VaultUnreachable", "does not answer"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var got *Error
			if !errors.As(classify(tc.err), &got) || got.Reason != tc.reason || !strings.Contains(got.Message, tc.says) {
				t.Errorf("classify = %+v, want %s with %q", got, tc.reason, tc.says)
			}
			if got != nil && strings.Contains(got.Message, "vault.example") {
				t.Errorf("the message names the server: %s", got.Message)
			}
			if !errors.Is(classify(tc.err), tc.err) {
				t.Error("the cause is lost")
			}
		})
	}
	if err := classify(context.Canceled); !errors.Is(err, context.Canceled) || errors.As(err, new(*Error)) {
		t.Errorf("a cancelled request is nobody's fault: %v", err)
	}
}

// Names of two tenants that begin alike must not lead to one role, nor one be a prefix of the other.
func TestRolesOfTenantsAreApart(t *testing.T) {
	if RoleFor("a", "b-c") == RoleFor("a-b", "c") {
		t.Error("two tenants share a role")
	}
	if strings.HasPrefix(RoleFor("a-b", "c"), RoleFor("a", "")) {
		t.Error("what is one tenant's looks like another's")
	}
}

func TestCertificateGood(t *testing.T) {
	now := time.Now()
	authority, sign := testAuthority(t)
	other, _ := testAuthority(t)
	tests := []struct {
		name                   string
		begin, end             time.Duration
		authority, certificate string
		want                   bool
	}{
		{name: "fresh", begin: -time.Hour, end: 29 * time.Hour, authority: authority, want: true},
		{name: "two thirds are over", begin: -21 * time.Hour, end: 9 * time.Hour, authority: authority, want: false},
		{name: "over", begin: -3 * time.Hour, end: -time.Hour, authority: authority, want: false},
		{name: "another authority", begin: -time.Hour, end: 29 * time.Hour, authority: other, want: false},
		{name: "none", authority: authority, certificate: "no certificate", want: false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			certificate := tc.certificate
			if certificate == "" {
				certificate = sign(now.Add(tc.begin), now.Add(tc.end))
			}
			if got := certificateGood(certificate, tc.authority, now); got != tc.want {
				t.Errorf("certificateGood = %t, want %t", got, tc.want)
			}
		})
	}
}

// testAuthority returns its certificate and what signs others.
func testAuthority(t *testing.T) (string, func(begin, end time.Time) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	create := func(template *x509.Certificate) string {
		der, err := x509.CreateCertificate(rand.Reader, template, root, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return create(root), func(begin, end time.Time) string {
		return create(&x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: begin, NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
	}
}

func TestPort(t *testing.T) {
	for address, want := range map[string]int{"https://vault:8200": 8200, "https://vault.example": 443, "http://vault": 80} {
		if got := (Access{Address: address}).Port(); got != want {
			t.Errorf("port of %s = %d, want %d", address, got, want)
		}
	}
}
