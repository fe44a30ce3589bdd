package kit

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxConnections is small on purpose: every replica of every module shares the
// tenant's one PostgreSQL.
const maxConnections = 8

// Credentials says as whom to connect to the database. Vault does.
type Credentials interface {
	// DatabaseUser is asked for each new connection. Until there is somebody to
	// connect as it waits a little.
	DatabaseUser(ctx context.Context) (user, password string, err error)
	// Refused is told when the database did not let user in.
	Refused(user string)
	// WhenReplaced has f called each time that the user has become another one.
	WhenReplaced(f func())
}

// OpenDatabase prepares a connection pool. It does not connect yet: a database
// that is down makes a module unready, not dead.
//
// When the user is replaced the pool moves over: what is under way finishes on
// its connection, everything after it gets a connection of the new user.
func OpenDatabase(ctx context.Context, db Database, credentials Credentials) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=%s sslmode=%s",
		quote(db.Host), db.Port, quote(db.Name), quote(db.SSLMode)))
	if err != nil {
		return nil, fmt.Errorf("database settings: %w", err)
	}
	config.MaxConns = maxConnections
	config.MaxConnIdleTime = 5 * time.Minute
	// Not all at once, so that a database that came back is not overrun.
	config.MaxConnLifetime = 30 * time.Minute
	config.MaxConnLifetimeJitter = 5 * time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A forgotten statement or transaction must not hold a number counter.
	config.ConnConfig.RuntimeParams["statement_timeout"] = fmt.Sprint(statementTimeout.Milliseconds())
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint(statementTimeout.Milliseconds())
	config.BeforeConnect = func(ctx context.Context, connection *pgx.ConnConfig) error {
		if err := db.trust(connection); err != nil {
			return err
		}
		return identify(ctx, connection, credentials)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	credentials.WhenReplaced(pool.Reset)
	return pool, nil
}

// statementTimeout bounds a statement, and a pause within a transaction.
const statementTimeout = 30 * time.Second

// identify says who connects, and has the credentials know when the database
// does not know them any more, as after a failover or a restore.
func identify(ctx context.Context, connection *pgx.ConnConfig, credentials Credentials) error {
	user, password, err := credentials.DatabaseUser(ctx)
	if err != nil {
		return err
	}
	connection.User, connection.Password = user, password
	next := connection.OnPgError
	connection.OnPgError = func(c *pgconn.PgConn, answer *pgconn.PgError) bool {
		if refusesUser(answer) {
			credentials.Refused(user)
		}
		return next(c, answer)
	}
	return nil
}

// refusesUser says whether the database did not let the user in, because it
// does not know it or its password any more.
func refusesUser(answer *pgconn.PgError) bool {
	return answer.Code == "28P01" || answer.Code == "28000"
}

// trust has the server's certificate checked against the authority in the file
// as it is now.
func (db Database) trust(connection *pgx.ConnConfig) error {
	if db.RootCert == "" {
		return nil
	}
	authorities, err := readAuthorities(db.RootCert)
	if err != nil {
		return fmt.Errorf("authority of the database: %w", err)
	}
	connection.TLSConfig = connection.TLSConfig.Clone()
	connection.TLSConfig.RootCAs = authorities
	return nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return authorities, nil
}

// quote makes a value safe inside a keyword/value connection string.
func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// Unavailable says whether err means that the database cannot answer just now,
// so that the same request may succeed a little later.
func Unavailable(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		if refusesUser(answer) { // a new user is on its way
			return true
		}
		switch answer.Code[:2] {
		case "08", "40", "53", "55", "57": // connection, rollback, resources, lock, shutdown or cancel
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	var vault *VaultError
	return errors.As(err, &connect) || errors.As(err, &vault) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, context.DeadlineExceeded)
}
