package kit

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Vault keeps the module signed in to Vault and gives it what it holds there:
// a database user of its own and the keys of its documents.
//
// While Vault does not answer, the module goes on with what it has. It replaces
// what Vault or the database has taken away.
type Vault struct {
	settings VaultSettings
	log      *slog.Logger
	failures prometheus.Counter

	mu       sync.Mutex
	session  *session      // nil before the first
	fault    *VaultError   // the last attempt's, nil when it succeeded
	refused  string        // the user whom the database did not let in
	replaced chan struct{} // closed when there is another session
	notify   []func()

	// wake has the session looked at before its time.
	wake    chan struct{}
	end     context.CancelFunc
	ended   chan struct{} // nothing changes the session any more
	closing chan struct{}
	retired sync.WaitGroup
}

// Pauses of an endless loop are spread, so that the replicas of all tenants do
// not come to Vault at the same moment.
const (
	shortestPause = time.Second
	longestPause  = 30 * time.Second
	// wakeEvery bounds how often a refusal has the session looked at.
	wakeEvery = 3 * time.Second
	// retireAfter is how long a replaced session stays, for the requests that
	// began with it: several statements, each within its timeout.
	retireAfter = 3 * statementTimeout
)

// OpenVault begins to sign in, and does not wait for it: a Vault that is away
// makes a module unready, not dead. Close ends it.
func OpenVault(settings VaultSettings, log *slog.Logger) *Vault {
	ctx, end := context.WithCancel(context.Background())
	v := &Vault{
		settings: settings,
		log:      log,
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vault_renewals_failed_total",
			Help: "Attempts to sign in to Vault or to renew what it gave that did not succeed.",
		}),
		replaced: make(chan struct{}),
		wake:     make(chan struct{}, 1),
		end:      end,
		ended:    make(chan struct{}),
		closing:  make(chan struct{}),
	}
	go v.run(ctx)
	return v
}

// Close gives the token back to Vault, which thereby removes the database user.
// Close the pool before.
func (v *Vault) Close() {
	v.end()
	<-v.ended
	close(v.closing)
	if s := v.current(); s != nil {
		v.retired.Go(s.revoke)
	}
	v.retired.Wait()
}

// DatabaseUser implements Credentials.
func (v *Vault) DatabaseUser(ctx context.Context) (user, password string, err error) {
	ctx, cancel := context.WithTimeout(ctx, vaultTimeout)
	defer cancel()
	for {
		v.mu.Lock()
		s, usable, replaced, fault := v.session, v.usable(), v.replaced, v.fault
		v.mu.Unlock()
		if usable {
			return s.user, s.password, nil
		}
		select {
		case <-replaced:
		case <-ctx.Done():
			if fault == nil {
				fault = &VaultError{doing: signingIn, why: "not finished yet"}
			}
			return "", "", fault
		}
	}
}

// Refused implements Credentials.
func (v *Vault) Refused(user string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session != nil && v.session.user == user {
		v.refused = user
		v.lookAgain()
	}
}

// WhenReplaced implements Credentials.
func (v *Vault) WhenReplaced(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notify = append(v.notify, f)
}

// usable says whether there is a database user. v.mu is held.
func (v *Vault) usable() bool { return v.session != nil && v.session.user != v.refused }

func (v *Vault) current() *session {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.session
}

func (v *Vault) lookAgain() {
	select {
	case v.wake <- struct{}{}:
	default: // it is already going to
	}
}

// run keeps the session until ctx ends.
func (v *Vault) run(ctx context.Context) {
	defer close(v.ended)
	pause := shortestPause
	for ctx.Err() == nil {
		last := time.Now()
		err := v.keep(ctx)
		v.report(ctx, err)
		if err != nil {
			// Being woken would go round the pause.
			await(ctx, nil, spread(pause))
			pause = min(2*pause, longestPause)
			continue
		}
		pause = shortestPause
		if await(ctx, v.wake, v.current().nextLook()) {
			await(ctx, nil, time.Until(last.Add(v.wakePause())))
		}
	}
}

// wakePause grows when the database refuses one new user after the other:
// another will not help then.
func (v *Vault) wakePause() time.Duration {
	if s := v.current(); time.Since(s.made) < time.Minute && s.replaces > 0 {
		return min(wakeEvery<<min(s.replaces, 4), longestPause)
	}
	return wakeEvery
}

// await says whether it was woken before the pause was over.
func await(ctx context.Context, wake <-chan struct{}, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
		return true
	}
	return false
}

func spread(pause time.Duration) time.Duration {
	return time.Duration((0.75 + rand.Float64()/2) * float64(pause))
}

// keep renews the session, or replaces one that Vault or the database has
// ended, or that soon cannot be renewed any more.
func (v *Vault) keep(ctx context.Context) error {
	v.mu.Lock()
	s, usable := v.session, v.usable()
	v.mu.Unlock()
	if usable {
		renewed, err := s.renew(ctx, v.settings)
		if err == nil {
			v.put(renewed)
			if !renewed.nearEnd() {
				return nil
			}
		} else if !err.refused() {
			return err
		}
	}
	fresh, err := v.signIn(ctx)
	if err != nil {
		return err
	}
	if s != nil && time.Since(s.made) < time.Minute {
		fresh.replaces = s.replaces + 1
	}
	v.put(fresh)
	return nil
}

// put makes s the session. One of another user retires the one before.
func (v *Vault) put(s *session) {
	v.mu.Lock()
	before := v.session
	v.session = s
	var notify []func()
	if before == nil || before.user != s.user {
		v.refused = ""
		close(v.replaced)
		v.replaced = make(chan struct{})
		notify = v.notify
	}
	v.mu.Unlock()
	for _, f := range notify {
		f()
	}
	if before != nil && before.user != s.user {
		v.log.Info("signed in to Vault anew")
		v.retired.Go(func() {
			select {
			case <-v.closing:
			case <-time.After(retireAfter):
			}
			before.revoke()
		})
	}
}

// report logs a change of what is the matter, not each attempt.
func (v *Vault) report(ctx context.Context, err error) {
	fault, _ := err.(*VaultError)
	v.mu.Lock()
	before := v.fault
	v.fault = fault
	v.mu.Unlock()
	switch {
	case fault == nil && before != nil:
		v.log.Info("Vault gives again what is asked")
	case fault == nil || ctx.Err() != nil:
	default:
		v.failures.Inc()
		if before == nil || before.Error() != fault.Error() {
			v.log.Warn("Vault did not give what was asked; going on with what there is and trying again", "error", fault, "answer", fault.answer)
		}
	}
}
