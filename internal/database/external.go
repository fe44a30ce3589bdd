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
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Server is an external PostgreSQL server and the role that may create others on it.
type Server struct {
	Host, SSLMode                string
	Port                         int32
	AdminUsername, AdminPassword string
}

// Owner is a module's database with the role that owns it; both have the same name.
type Owner struct {
	Tenant, Module string
	Name, Password string
}

// mark is the comment on the role that says whose it is, so that two tenants whose names
// lead to the same role, or a role that was there before, are told apart.
func (o Owner) mark() string { return "ejustice.dev/" + o.Tenant + "/" + o.Module }

const connectTimeout = 10 * time.Second

// Ensure creates role and database if they are missing, makes the role's password the given
// one, and lets nobody but the owner connect. It reads before it writes, so that it can be
// repeated at any time. It never drops anything.
func Ensure(ctx context.Context, server Server, owner Owner) error {
	ctx, cancel := context.WithTimeout(ctx, 3*connectTimeout)
	defer cancel()
	admin, err := connect(ctx, server, "postgres", server.AdminUsername, server.AdminPassword)
	if err != nil {
		return fmt.Errorf("connecting as administrator: %w", err)
	}
	defer admin.Close(ctx)
	if err := ensureRole(ctx, admin, owner); err != nil {
		return err
	}
	if err := ensureDatabase(ctx, admin, owner.Name); err != nil {
		return err
	}
	return ensurePassword(ctx, admin, server, owner)
}

func ensureRole(ctx context.Context, admin *pgx.Conn, owner Owner) error {
	var mark string
	err := admin.QueryRow(ctx, "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1", owner.Name).Scan(&mark)
	switch {
	case err == nil && mark == owner.mark():
		return nil
	case err == nil:
		return fmt.Errorf("role %s exists on the server and is not that of tenant %s, module %s: rename it there or use another server", owner.Name, owner.Tenant, owner.Module)
	case !errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("looking for role %s: %w", owner.Name, err)
	}
	err = pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE ROLE "+quote(owner.Name)+" LOGIN PASSWORD '"+verifier(owner.Password)+"'"); err != nil {
			return err
		}
		// Names hold lower-case letters, digits and hyphens only.
		_, err := tx.Exec(ctx, "COMMENT ON ROLE "+quote(owner.Name)+" IS '"+owner.mark()+"'")
		return err
	})
	if err != nil {
		return fmt.Errorf("creating role %s: %w", owner.Name, err)
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

// ensurePassword signs in as the owner; only if the server refuses the password is it set.
func ensurePassword(ctx context.Context, admin *pgx.Conn, server Server, owner Owner) error {
	err := signIn(ctx, server, owner)
	var pgErr *pgconn.PgError
	if err == nil || !errors.As(err, &pgErr) || !strings.HasPrefix(pgErr.Code, "28") {
		return err
	}
	if err := execute(ctx, admin, "ALTER ROLE "+quote(owner.Name)+" LOGIN PASSWORD '"+verifier(owner.Password)+"'"); err != nil {
		return fmt.Errorf("setting the password of role %s: %w", owner.Name, err)
	}
	return signIn(ctx, server, owner)
}

func signIn(ctx context.Context, server Server, owner Owner) error {
	conn, err := connect(ctx, server, owner.Name, owner.Name, owner.Password)
	if err != nil {
		return fmt.Errorf("connecting as %s: %w", owner.Name, err)
	}
	return conn.Close(ctx)
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
