package vault

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

const (
	// connectionName is the one connection of a tenant's database engine.
	connectionName = "database"
	// connectionLife is how long Vault's own certificate for a tenant's database lasts; the
	// operator replaces it when a third is left.
	connectionLife = 30 * 24 * time.Hour

	credentialLife    = time.Hour
	credentialMaxLife = 24 * time.Hour

	plugin = "postgresql-database-plugin"
)

// Server is the PostgreSQL on which Vault makes modules' users.
type Server struct {
	// Address and port, without credentials.
	Host string
	Port int32
	// SSLMode as in libpq.
	SSLMode string
	// User is Vault's role there. With an empty Password it signs in by certificate.
	User string
	// SetPassword makes the password that Vault shall use true on the server; nil for a
	// server that knows Vault by its certificate.
	SetPassword func(ctx context.Context, password string) error
	// Unverified leaves out Vault's attempt to connect, for tests without a server.
	Unverified bool
}

func (s Server) url() string {
	credentials := "{{username}}"
	if s.SetPassword != nil {
		credentials += ":{{password}}"
	}
	return fmt.Sprintf("postgresql://%s@%s:%d/postgres?sslmode=%s", credentials, s.Host, s.Port, s.SSLMode)
}

// Owner is a module with the role that owns its database, which it is only while its schema is
// brought up to date, and the role that it works in.
type Owner struct{ Module, Role, Runtime string }

// Credentials compares how Vault reaches the tenant's database and which users it makes there
// with what is wanted. It expects the frame to stand and the database to serve.
func (c *Client) Credentials(ctx context.Context, t Tenant, server Server, owners []Owner) ([]Change, error) {
	var changes []Change
	good, err := c.connectionGood(ctx, t, server)
	if err != nil {
		return nil, err
	}
	if !good {
		changes = append(changes, Change{"connecting Vault to the database", func(ctx context.Context) error {
			return c.connect(ctx, t, server)
		}})
	}
	var entries []entry
	for _, owner := range owners {
		entries = append(entries,
			databaseRole(t, owner.Module, owner.Runtime, credentialMaxLife),
			databaseRole(t, Migration(owner.Module), owner.Role, credentialLife))
	}
	rest, err := c.pending(ctx, entries)
	return append(changes, rest...), err
}

func (c *Client) connectionPath(t Tenant) string {
	return Mount(t.Name) + "/database/config/" + connectionName
}

// connectionGood reports whether Vault reaches the database in the wanted way, and will for a
// while.
func (c *Client) connectionGood(ctx context.Context, t Tenant, server Server) (bool, error) {
	have, err := c.read(ctx, c.connectionPath(t))
	if err != nil && !absent(err) {
		return false, err
	}
	details, _ := have["connection_details"].(map[string]any)
	if details["connection_url"] != server.url() || details["username"] != server.User {
		return false, nil
	}
	if server.SetPassword != nil {
		return true, nil
	}
	authority, err := c.Authority(ctx, t.Name)
	if err != nil {
		return false, err
	}
	certificate, _ := details["tls_certificate"].(string)
	return certificateGood(certificate, authority, time.Now()), nil
}

// certificateGood reports whether the authority signed the certificate and more than a third
// of its life is left.
func certificateGood(certificate, authority string, now time.Time) bool {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(authority))
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: now})
	return err == nil && leaf.NotAfter.Sub(now) > leaf.NotAfter.Sub(leaf.NotBefore)/3
}

// connect gives Vault's database engine new credentials. They pass through the operator's
// memory and are kept nowhere else.
func (c *Client) connect(ctx context.Context, t Tenant, server Server) error {
	config := map[string]any{
		"plugin_name": plugin, "connection_url": server.url(), "username": server.User,
		"allowed_roles": []string{"*"}, "password_authentication": "scram-sha-256",
		"verify_connection": !server.Unverified,
		// None stays open: PostgreSQL waits for open ones when it is to stop.
		"max_idle_connections": -1,
	}
	if server.SetPassword != nil {
		password := newPassword()
		if err := server.SetPassword(ctx, password); err != nil {
			return fmt.Errorf("setting the password of Vault's role: %w", err)
		}
		config["password"] = password
	} else {
		issued, err := c.write(ctx, Mount(t.Name)+"/pki/issue/"+roleVault, map[string]any{
			"common_name": DatabaseUser, "ttl": fmt.Sprintf("%ds", int(connectionLife.Seconds())),
		})
		if err != nil {
			return err
		}
		config["tls_certificate"], config["private_key"], config["tls_ca"] = issued["certificate"], issued["private_key"], issued["issuing_ca"]
	}
	_, err := c.write(ctx, c.connectionPath(t), config)
	return err
}

// databaseRole is how users come and go. At sign-in they become the role that they belong to, so
// that whatever they make is its, and nothing holds them when they go.
func databaseRole(t Tenant, name, role string, maxLife time.Duration) entry {
	return entry{"the database users of " + name, Mount(t.Name) + "/database/roles/" + name, map[string]any{
		"db_name": connectionName,
		"creation_statements": []string{
			`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE "` + role + `"`,
			`ALTER ROLE "{{name}}" SET role = '` + role + `'`,
		},
		"revocation_statements": []string{
			// Ending others' sessions may not be Vault's right on an external server.
			`DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`,
			`DROP ROLE IF EXISTS "{{name}}"`,
		},
		"default_ttl": int(credentialLife.Seconds()), "max_ttl": int(maxLife.Seconds()),
	}}
}

// Authority is the certificate of the tenant's authority in PEM form.
func (c *Client) Authority(ctx context.Context, tenant string) (string, error) {
	data, err := c.read(ctx, Mount(tenant)+"/pki/cert/ca")
	if err != nil {
		return "", err
	}
	certificate, _ := data["certificate"].(string)
	if certificate == "" {
		return "", errors.New("the tenant has no certificate authority yet")
	}
	return certificate, nil
}

// Rotate gives Vault new credentials for the database and every module's key a new version.
// Modules take up both when they are started anew; documents stay readable throughout. The
// credentials come first, because they are what can fail: a repeated attempt must not add
// one version after another.
func (c *Client) Rotate(ctx context.Context, t Tenant, server Server) error {
	if err := c.rotateConnection(ctx, t, server); err != nil {
		return err
	}
	for _, module := range t.Modules {
		for _, key := range []string{module, SigningKey(module)} {
			if _, err := c.write(ctx, Mount(t.Name)+"/transit/keys/"+key+"/rotate", nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// rotateConnection has Vault change its own password, or gives it a new certificate.
func (c *Client) rotateConnection(ctx context.Context, t Tenant, server Server) error {
	if server.SetPassword == nil || server.Unverified {
		return c.connect(ctx, t, server)
	}
	_, err := c.write(ctx, Mount(t.Name)+"/database/rotate-root/"+connectionName, nil)
	return err
}
