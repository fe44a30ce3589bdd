// Package vault is the operator's one way to Vault, or to any server that speaks its API. It
// builds the frame of each tenant there: mounts for secrets, database credentials, keys and
// certificates, and who may use them. It never reads what lies inside.
//
// Everything is read before it is written, so that each write can be repeated after a crash,
// and nothing that works is replaced because an answer failed to come.
package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// Config says where Vault is and how the operator signs in.
type Config struct {
	// Address of the server, for example https://vault.vault.svc:8200.
	Address string
	// CAFile holds the authority of the server's certificate in PEM form; "" for a public one.
	CAFile string
	// AuthPath is where the sign-in method is mounted, for example auth/kubernetes.
	AuthPath string
	// Method is the kind of that method: kubernetes or jwt.
	Method string
	// Role is the operator's own role there.
	Role string
	// TokenFile is the ServiceAccount token made for Vault; it is read at each sign-in.
	TokenFile string
	// WrapTransport is for tests that cut connections; nil otherwise.
	WrapTransport func(http.RoundTripper) http.RoundTripper
}

// requestTimeout bounds one request: a server that does not answer must not hold up a
// reconciliation of everything else.
const requestTimeout = 10 * time.Second

// Access is what modules and cert-manager are told, so that they find Vault themselves.
func (c *Client) Access() Access {
	return Access{Address: c.config.Address, AuthPath: c.config.AuthPath, Authority: c.ca}
}

// Client speaks to Vault in the operator's name. It signs in when it must.
type Client struct {
	config Config
	ca     []byte
	api    *api.Client

	mu       sync.Mutex
	signedIn bool
	// away is why Vault did not answer just now, and believed until then.
	away      error
	awayUntil time.Time
}

// believeAway is how long nobody asks again a Vault that did not answer: each wait for it
// holds up everything else.
const believeAway = 3 * time.Second

// New prepares a client. It does not connect yet.
func New(config Config) (*Client, error) {
	var ca []byte
	if config.CAFile != "" {
		var err error
		if ca, err = os.ReadFile(config.CAFile); err != nil {
			return nil, fmt.Errorf("reading Vault's authority: %w", err)
		}
	}
	settings := api.DefaultConfig()
	if settings.Error != nil {
		return nil, fmt.Errorf("preparing the Vault client: %w", settings.Error)
	}
	settings.Address = config.Address
	settings.Timeout = requestTimeout
	settings.MaxRetries = 0 // the reconcilers try again, and say why meanwhile
	if err := settings.ConfigureTLS(&api.TLSConfig{CACert: config.CAFile}); err != nil {
		return nil, fmt.Errorf("trusting Vault's authority: %w", err)
	}
	if config.WrapTransport != nil {
		settings.HttpClient.Transport = config.WrapTransport(settings.HttpClient.Transport)
	}
	client, err := api.NewClient(settings)
	if err != nil {
		return nil, fmt.Errorf("preparing the Vault client: %w", err)
	}
	client.ClearToken() // one of the environment is somebody else's
	return &Client{config: config, ca: ca, api: client}, nil
}

// request carries out one request, signing in first when there is no token or it has ended.
func (c *Client) request(ctx context.Context, do func(*api.Logical) (*api.Secret, error)) (*api.Secret, error) {
	if err := c.knownAway(); err != nil {
		return nil, err
	}
	secret, err := c.signedRequest(ctx, do)
	return secret, c.noteAway(classify(err))
}

func (c *Client) signedRequest(ctx context.Context, do func(*api.Logical) (*api.Secret, error)) (*api.Secret, error) {
	fresh, err := c.signIn(ctx, false)
	if err != nil {
		return nil, err
	}
	secret, err := do(c.api.Logical())
	if !fresh && statusOf(err) == http.StatusForbidden {
		if _, err := c.signIn(ctx, true); err != nil {
			return nil, err
		}
		secret, err = do(c.api.Logical())
	}
	return secret, err
}

func (c *Client) knownAway() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.awayUntil) {
		return c.away
	}
	return nil
}

func (c *Client) noteAway(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Reason == reasonUnreachable {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.away, c.awayUntil = err, time.Now().Add(believeAway)
	}
	return err
}

// signIn reports whether it has just signed in. anew: although there is a token.
func (c *Client) signIn(ctx context.Context, anew bool) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signedIn && !anew {
		return false, nil
	}
	token, err := os.ReadFile(c.config.TokenFile)
	if err != nil {
		return false, fmt.Errorf("reading the ServiceAccount token for Vault: %w", err)
	}
	unauthenticated, err := c.api.Clone()
	if err != nil {
		return false, fmt.Errorf("preparing the sign-in: %w", err)
	}
	unauthenticated.ClearToken()
	answer, err := unauthenticated.Logical().WriteWithContext(ctx, c.config.AuthPath+"/login", map[string]any{
		"role": c.config.Role, "jwt": strings.TrimSpace(string(token)),
	})
	if err != nil {
		return false, fmt.Errorf("signing in as %s: %w", c.config.Role, err)
	}
	if answer == nil || answer.Auth == nil {
		return false, errors.New("signing in to Vault: the answer holds no token")
	}
	c.api.SetToken(answer.Auth.ClientToken)
	c.signedIn = true
	return true, nil
}

// read returns what lies at the path, or nil when nothing does.
func (c *Client) read(ctx context.Context, path string) (map[string]any, error) {
	secret, err := c.request(ctx, func(l *api.Logical) (*api.Secret, error) { return l.ReadWithContext(ctx, path) })
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if secret == nil {
		return nil, nil
	}
	return secret.Data, nil
}

// list returns the names below the path; none when the path does not exist.
func (c *Client) list(ctx context.Context, path string) ([]string, error) {
	secret, err := c.request(ctx, func(l *api.Logical) (*api.Secret, error) { return l.ListWithContext(ctx, path) })
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", path, err)
	}
	if secret == nil {
		return nil, nil
	}
	keys, _ := secret.Data["keys"].([]any)
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		if name, ok := key.(string); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func (c *Client) write(ctx context.Context, path string, data map[string]any) (map[string]any, error) {
	secret, err := c.request(ctx, func(l *api.Logical) (*api.Secret, error) { return l.WriteWithContext(ctx, path, data) })
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	if secret == nil {
		return nil, nil
	}
	return secret.Data, nil
}

func (c *Client) delete(ctx context.Context, path string) error {
	_, err := c.request(ctx, func(l *api.Logical) (*api.Secret, error) { return l.DeleteWithContext(ctx, path) })
	if err != nil {
		return fmt.Errorf("deleting %s: %w", path, err)
	}
	return nil
}
