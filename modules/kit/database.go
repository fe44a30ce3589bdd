package kit

import (
	"context"
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

// OpenDatabase prepares a connection pool. It does not connect yet: a database
// that is down makes a module unready, not dead.
func OpenDatabase(ctx context.Context, db Database) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(fmt.Sprintf("host=%s port=%d dbname=%s user=%s sslmode=%s",
		quote(db.Host), db.Port, quote(db.Name), quote(db.User), quote(db.SSLMode)))
	if err != nil {
		return nil, fmt.Errorf("database settings: %w", err)
	}
	config.MaxConns = maxConnections
	config.MaxConnIdleTime = 5 * time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A forgotten statement or transaction must not hold a number counter.
	config.ConnConfig.RuntimeParams["statement_timeout"] = "30000"
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
	config.BeforeConnect = db.addPassword
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	return pool, nil
}

func (db Database) addPassword(_ context.Context, config *pgx.ConnConfig) error {
	password, err := os.ReadFile(db.PasswordFile)
	if err != nil {
		return fmt.Errorf("read database password: %w", err)
	}
	config.Password = strings.TrimRight(string(password), "\r\n")
	return nil
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
		switch answer.Code[:2] {
		case "08", "40", "53", "55", "57": // connection, rollback, resources, lock, shutdown or cancel
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, context.DeadlineExceeded)
}
