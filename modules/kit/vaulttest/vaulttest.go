// Package vaulttest gives modules' tests a real Vault, and in it what the
// operator makes for a module.
package vaulttest

import (
	"errors"
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"

	"ejustice.dev/operator/hack/vaulttest"
)

// Server is a running Vault.
type Server struct{ *vaulttest.Server }

// Start runs a Vault until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return &Server{vaulttest.Start(t)}
}

// Leases lists the leases of a module's database users.
func (s *Server) Leases(t testing.TB, name string) []any {
	t.Helper()
	secret, err := s.Root.Logical().List("sys/leases/lookup/" + mount + "/database/creds/" + name)
	var answer *api.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound || err == nil && secret == nil {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	leases, _ := secret.Data["keys"].([]any)
	return leases
}
