package vaulttest

import (
	"fmt"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/hashicorp/vault/api"

	"ejustice.dev/operator/modules/kit"
	"ejustice.dev/operator/modules/kit/pgtest"
)

const mount = "tenants/test"

// Times are how long what a module gets lasts, for example "3s".
type Times struct{ TTL, MaxTTL string }

// Usual are the times of a real tenant.
var Usual = Times{TTL: "1h", MaxTTL: "24h"}

// Module makes what the operator makes for a module with a database, and says
// how the module signs in. Its name is that of its database.
func (s *Server) Module(t testing.TB, db kit.Database, times Times) kit.VaultSettings {
	t.Helper()
	name := db.Name
	for _, engine := range []string{"database", "transit"} {
		if err := s.Root.Sys().Mount(mount+"/"+engine, &api.MountInput{Type: engine}); err != nil {
			t.Fatalf("mount %s: %v", engine, err)
		}
	}
	s.Write(t, mount+"/transit/keys/"+name, map[string]any{"type": "aes256-gcm96"})
	s.Write(t, mount+"/database/config/main", map[string]any{
		"plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
		"connection_url": "postgresql://admin@/postgres?host=" + url.QueryEscape(db.Host),
	})
	s.SetTimes(t, db, times)
	if err := s.Root.Sys().PutPolicy(name, fmt.Sprintf(policy, mount, name)); err != nil {
		t.Fatal(err)
	}
	settings := kit.VaultSettings{
		Address: s.Root.Address(), CACert: s.CA, LoginPath: "auth/jwt/login", Role: "tenant-test-" + name,
		JWTFile: filepath.Join(t.TempDir(), "token"), Mount: mount, Name: name,
	}
	s.allowSignIn(t, settings, times)
	return settings
}

const policy = `
path "%[1]s/database/creds/%[2]s" { capabilities = ["read"] }
path "%[1]s/transit/datakey/plaintext/%[2]s" { capabilities = ["update"] }
path "%[1]s/transit/decrypt/%[2]s" { capabilities = ["update"] }
path "%[1]s/transit/rewrap/%[2]s" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
`

// SetTimes says how long the database users that are made from now on last.
func (s *Server) SetTimes(t testing.TB, db kit.Database, times Times) {
	t.Helper()
	s.setUsers(t, db, pgtest.RuntimeRole(db), times)
}

// Migration is like Module, but the users are the database's owner.
func (s *Server) Migration(t testing.TB, db kit.Database) kit.VaultSettings {
	t.Helper()
	settings := s.Module(t, db, Usual)
	s.setUsers(t, db, db.Name, Usual)
	return settings
}

// setUsers says which role the database users belong to that are made from now on.
func (s *Server) setUsers(t testing.TB, db kit.Database, role string, times Times) {
	t.Helper()
	s.Write(t, mount+"/database/roles/"+db.Name, map[string]any{
		"db_name": "main", "default_ttl": times.TTL, "max_ttl": times.MaxTTL,
		"creation_statements": []string{
			`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE "` + role + `"`,
			`ALTER ROLE "{{name}}" SET role = "` + role + `"`,
		},
		"revocation_statements": []string{
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'`,
			`DROP ROLE IF EXISTS "{{name}}"`,
		},
	})
}

// allowSignIn has Vault trust an issuer of tokens, and writes one for the module.
func (s *Server) allowSignIn(t testing.TB, settings kit.VaultSettings, times Times) {
	t.Helper()
	issuer := s.TrustIssuer(t)
	s.Write(t, "auth/jwt/role/"+settings.Role, map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_subject": "system:serviceaccount:justice-test:" + settings.Name, "bound_audiences": "vault",
		"token_policies": settings.Name, "token_no_default_policy": true, "token_ttl": times.TTL, "token_max_ttl": times.MaxTTL,
	})
	issuer.WriteToken(t, settings.JWTFile, "justice-test", settings.Name)
}
