package database

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is an external PostgreSQL server and the role that may create others on it.
type Server struct {
	Host, SSLMode                string
	Port                         int32
	AdminUsername, AdminPassword string
}

// Owner is a module's database with the role that owns it, which has the same name, and the role
// that the module works in. Nobody signs in as either: Vault makes users that belong to one.
type Owner struct {
	Tenant, Module string
	Name, Runtime  string
}

// OwnerFor names what a module of a tenant has on a server.
func OwnerFor(tenant, module string) Owner {
	return Owner{Tenant: tenant, Module: module, Name: NameFor(tenant, module), Runtime: RuntimeFor(tenant, module)}
}

// mark is the comment on the role that says whose it is, so that two tenants whose names
// lead to the same role, or a role that was there before, are told apart.
func (o Owner) mark() string { return "ejustice.dev/" + o.Tenant + "/" + o.Module }

const connectTimeout = 10 * time.Second

// VaultRole is the role by which Vault makes a tenant's users on an external server.
func VaultRole(tenant string) string {
	return NameFor("vault", tenant)
}

func vaultMark(tenant string) string { return "ejustice.dev/" + tenant + ": Vault" }

// Ensure creates roles and database if they are missing, lets nobody but these roles connect, and
// lets Vault make users that belong to them. It reads before it writes, so that it can
// be repeated at any time. It never drops anything.
func Ensure(ctx context.Context, server Server, owner Owner) error {
	return asAdmin(ctx, server, func(ctx context.Context, admin *pgx.Conn) error {
		if err := ensureRole(ctx, admin, owner.Name, owner.mark(), "NOLOGIN"); err != nil {
			return err
		}
		if err := ensureDatabase(ctx, admin, owner.Name); err != nil {
			return err
		}
		vaultRole := VaultRole(owner.Tenant)
		if err := ensureRole(ctx, admin, vaultRole, vaultMark(owner.Tenant), "CREATEROLE NOLOGIN"); err != nil {
			return err
		}
		if err := ensureRuntime(ctx, admin, owner); err != nil {
			return err
		}
		for _, role := range []string{owner.Name, owner.Runtime} {
			if err := ensureMayGive(ctx, admin, role, vaultRole); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetVaultPassword lets Vault sign in to the server with the password and with no other.
func SetVaultPassword(ctx context.Context, server Server, tenant, password string) error {
	return asAdmin(ctx, server, func(ctx context.Context, admin *pgx.Conn) error {
		role := VaultRole(tenant)
		if err := ensureRole(ctx, admin, role, vaultMark(tenant), "CREATEROLE NOLOGIN"); err != nil {
			return err
		}
		if err := execute(ctx, admin, "ALTER ROLE "+quote(role)+" LOGIN PASSWORD '"+verifier(password)+"'"); err != nil {
			return fmt.Errorf("setting the password of role %s: %w", role, err)
		}
		return nil
	})
}

func asAdmin(ctx context.Context, server Server, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*connectTimeout)
	defer cancel()
	admin, err := connect(ctx, server, "postgres", server.AdminUsername, server.AdminPassword)
	if err != nil {
		return fmt.Errorf("connecting as administrator: %w", err)
	}
	defer admin.Close(ctx)
	return do(ctx, admin)
}

func ensureRole(ctx context.Context, admin *pgx.Conn, name, mark, attributes string) error {
	var found string
	err := admin.QueryRow(ctx, "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1", name).Scan(&found)
	switch {
	case err == nil && found == mark:
		return nil
	case err == nil:
		return fmt.Errorf("role %s exists on the server and is not %s: rename it there or use another server", name, mark)
	case !errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("looking for role %s: %w", name, err)
	}
	err = pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE ROLE "+quote(name)+" "+attributes); err != nil {
			return err
		}
		// Names hold lower-case letters, digits and hyphens only.
		_, err := tx.Exec(ctx, "COMMENT ON ROLE "+quote(name)+" IS '"+mark+"'")
		return err
	})
	if err != nil {
		return fmt.Errorf("creating role %s: %w", name, err)
	}
	return nil
}

// ensureRuntime makes the role that the module works in and lets it connect.
func ensureRuntime(ctx context.Context, admin *pgx.Conn, owner Owner) error {
	if err := ensureRole(ctx, admin, owner.Runtime, owner.mark()+": at work", "NOLOGIN"); err != nil {
		return err
	}
	var may bool
	if err := admin.QueryRow(ctx, "SELECT has_database_privilege($1, $2, 'CONNECT')", owner.Runtime, owner.Name).Scan(&may); err != nil {
		return fmt.Errorf("looking whether role %s may connect: %w", owner.Runtime, err)
	}
	if may {
		return nil
	}
	if err := execute(ctx, admin, "GRANT CONNECT ON DATABASE "+quote(owner.Name)+" TO "+quote(owner.Runtime)); err != nil {
		return fmt.Errorf("letting role %s connect: %w", owner.Runtime, err)
	}
	return nil
}

// ensureMayGive lets one role make others members of the owner.
func ensureMayGive(ctx context.Context, admin *pgx.Conn, owner, giver string) error {
	var may bool
	err := admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_auth_members WHERE roleid = $1::regrole AND member = $2::regrole AND admin_option)`,
		quote(owner), quote(giver)).Scan(&may)
	if err != nil {
		return fmt.Errorf("looking who may give role %s: %w", owner, err)
	}
	if may {
		return nil
	}
	if err := execute(ctx, admin, "GRANT "+quote(owner)+" TO "+quote(giver)+" WITH ADMIN OPTION"); err != nil {
		return fmt.Errorf("letting Vault give role %s: %w", owner, err)
	}
	return nil
}

func ensureDatabase(ctx context.Context, admin *pgx.Conn, name string) error {
	// An administrator that is not superuser must belong to the role to give it a database.
	var member bool
	if err := admin.QueryRow(ctx, "SELECT pg_has_role(current_user, $1, 'MEMBER')", name).Scan(&member); err != nil {
		return fmt.Errorf("looking for the administrator's membership in %s: %w", name, err)
	}
	if !member {
		if err := execute(ctx, admin, "GRANT "+quote(name)+" TO CURRENT_USER"); err != nil {
			return fmt.Errorf("joining role %s: %w", name, err)
		}
	}
	var owner string
	err := admin.QueryRow(ctx, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", name).Scan(&owner)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		if err := execute(ctx, admin, "CREATE DATABASE "+quote(name)+" OWNER "+quote(name)+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
			return fmt.Errorf("creating database %s: %w", name, err)
		}
	case err != nil:
		return fmt.Errorf("looking for database %s: %w", name, err)
	case owner != name:
		return fmt.Errorf("database %s exists and belongs to %s: rename it or give it to %s", name, owner, name)
	}
	var public bool
	if err := admin.QueryRow(ctx, "SELECT has_database_privilege('public', $1, 'CONNECT')", name).Scan(&public); err != nil {
		return fmt.Errorf("looking who may connect to database %s: %w", name, err)
	}
	if !public {
		return nil
	}
	if err := execute(ctx, admin, "REVOKE CONNECT, TEMPORARY ON DATABASE "+quote(name)+" FROM PUBLIC"); err != nil {
		return fmt.Errorf("closing database %s to others: %w", name, err)
	}
	return nil
}

// connect never puts the password into a connection string, so that no error can show it.
func connect(ctx context.Context, server Server, database, username, password string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d sslmode=%s", server.Host, server.Port, server.SSLMode))
	if err != nil {
		return nil, fmt.Errorf("reading the address of %s: %w", server.Host, err)
	}
	config.Database, config.User, config.Password = database, username, password
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams["application_name"] = "ejustice-operator"
	return pgx.ConnectConfig(ctx, config)
}

func execute(ctx context.Context, conn *pgx.Conn, statement string) error {
	_, err := conn.Exec(ctx, statement)
	return err
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// verifier is the SCRAM-SHA-256 form of a password, as PostgreSQL stores it. Sending it
// instead of the password keeps the password out of the server's statement log.
func verifier(password string) string {
	const iterations = 4096
	salt := make([]byte, 16)
	rand.Read(salt) // never fails since Go 1.24
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic("database: deriving a key with fixed parameters: " + err.Error())
	}
	clientKey := hmacSHA256(salted, "Client Key")
	storedKey := sha256.Sum256(clientKey)
	serverKey := hmacSHA256(salted, "Server Key")
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(storedKey[:]), encode(serverKey))
}

func hmacSHA256(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
