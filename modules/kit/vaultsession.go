package kit

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// vaultTimeout bounds one request to Vault.
const vaultTimeout = 5 * time.Second

// session is what one sign-in brought. It is never changed: renewing makes
// another one with the same token and user.
type session struct {
	client         *api.Client // carries the token
	token, lease   lifetime
	leaseID        string
	user, password string
	made           time.Time
	// replaces counts the sessions before it that did not last a minute.
	replaces int
}

// lifetime is how long something lasts if nobody renews it.
type lifetime struct {
	whole   time.Duration // as given first
	granted time.Duration // at the last renewal
	ends    time.Time
}

func lasting(seconds int) lifetime {
	d := time.Duration(seconds) * time.Second
	return lifetime{d, d, time.Now().Add(d)}
}

func (l lifetime) renewed(seconds int) lifetime {
	again := lasting(seconds)
	again.whole = l.whole
	return again
}

// capped says whether the last renewal brought less than was asked for, as it
// does when the longest time that Vault allows comes near.
func (l lifetime) capped() bool { return l.granted < l.whole-l.whole/10 }

// nearEnd says that renewing will soon not help any more.
func (s *session) nearEnd() bool { return s.token.capped() || s.lease.capped() }

// nextLook is when half to two thirds of what is left have gone.
func (s *session) nextLook() time.Duration {
	left := time.Until(s.token.ends)
	if s.leaseID != "" {
		left = min(left, time.Until(s.lease.ends))
	}
	return max(time.Duration((0.5+rand.Float64()/6)*float64(left)), shortestPause)
}

// newClient makes a client that knows only what it is given: none of the
// VAULT_* variables that Vault's own tools read. It is made anew with each
// session and renewal, and thereby reads the authority anew.
func (settings VaultSettings) newClient() (*api.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if settings.CACert != "" {
		authorities, err := readAuthorities(settings.CACert)
		if err != nil {
			return nil, fmt.Errorf("authority of Vault: %w", err)
		}
		transport.TLSClientConfig.RootCAs = authorities
	}
	client, err := api.NewClient(&api.Config{
		Address:    settings.Address,
		HttpClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Timeout:    vaultTimeout,
		MaxRetries: 0, // the loop tries again
	})
	if err != nil {
		return nil, err
	}
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.ClearToken()
	return client, nil
}

// What was being done when Vault failed.
const (
	signingIn   = "signing in to Vault"
	gettingUser = "getting a database user from Vault"
	renewing    = "renewing what Vault gave"
)

// signIn shows Vault the pod's token and gets a database user.
func (v *Vault) signIn(ctx context.Context) (*session, error) {
	client, err := v.settings.newClient()
	if err != nil {
		return nil, &VaultError{doing: signingIn, why: "the settings cannot be used: " + err.Error()}
	}
	jwt, err := os.ReadFile(v.settings.JWTFile)
	if err != nil {
		return nil, &VaultError{doing: signingIn, why: "the pod's token cannot be read: " + err.Error()}
	}
	answer, err := client.Logical().WriteWithContext(ctx, v.settings.LoginPath, map[string]any{
		"role": v.settings.Role, "jwt": strings.TrimSpace(string(jwt)),
	})
	if err != nil || answer == nil || answer.Auth == nil {
		return nil, v.settings.fault(signingIn, err)
	}
	client.SetToken(answer.Auth.ClientToken)
	s := &session{client: client, token: lasting(answer.Auth.LeaseDuration), made: time.Now()}
	if err := s.getUser(ctx, v.settings); err != nil {
		s.revoke() // or each attempt would leave a token
		return nil, err
	}
	return s, nil
}

func (s *session) getUser(ctx context.Context, settings VaultSettings) error {
	answer, err := s.client.Logical().ReadWithContext(ctx, settings.Mount+"/database/creds/"+settings.Name)
	if err != nil || answer == nil {
		return settings.fault(gettingUser, err)
	}
	s.user, _ = answer.Data["username"].(string)
	s.password, _ = answer.Data["password"].(string)
	if s.user == "" || s.password == "" {
		return settings.fault(gettingUser, nil)
	}
	s.leaseID, s.lease = answer.LeaseID, lasting(answer.LeaseDuration)
	return nil
}

// renew asks for the whole time again, for the token first: what it leased ends
// with it.
func (s *session) renew(ctx context.Context, settings VaultSettings) (*session, *VaultError) {
	client, err := settings.newClient()
	if err != nil {
		return nil, &VaultError{doing: renewing, why: "the settings cannot be used: " + err.Error()}
	}
	client.SetToken(s.client.Token())
	token, err := client.Auth().Token().RenewSelfWithContext(ctx, seconds(s.token.whole))
	if err != nil || token == nil || token.Auth == nil {
		return nil, settings.fault(renewing, err)
	}
	lease, err := client.Sys().RenewWithContext(ctx, s.leaseID, seconds(s.lease.whole))
	if err != nil || lease == nil {
		return nil, settings.fault(renewing, err)
	}
	again := *s
	again.client = client
	again.token = s.token.renewed(token.Auth.LeaseDuration)
	again.lease = s.lease.renewed(lease.LeaseDuration)
	return &again, nil
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// revoke ends the token and all that was leased with it. If Vault is away they
// end by themselves when their time is over.
func (s *session) revoke() {
	ctx, cancel := context.WithTimeout(context.Background(), vaultTimeout)
	defer cancel()
	_ = s.client.Auth().Token().RevokeSelfWithContext(ctx, "")
}
