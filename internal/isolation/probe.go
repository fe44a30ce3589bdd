// Package isolation finds out whether the cluster's network really enforces NetworkPolicies:
// one that does not accepts them all the same. Each replica of the operator listens on a port
// that a NetworkPolicy forbids; the one that works tries to reach it on the others.
package isolation

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/internal/status"
)

const (
	// CheckName is the readiness check of a replica that listens on the forbidden port.
	CheckName = "isolation-probe"

	again    = 5 * time.Minute  // between two looks once there is an answer
	soon     = 15 * time.Second // between two looks before
	patience = time.Minute      // how long another replica may take to come up
	dialTime = 3 * time.Second  // a dropped packet says nothing; this long we listen
)

// Probe asks, and remembers the answer. It is only a memory: a restarted operator asks again.
type Probe struct {
	// Peers lists the addresses of the other replicas.
	Peers func(context.Context) ([]string, error)
	// HealthPort is allowed by the operator's NetworkPolicy, ForbiddenPort is not.
	HealthPort, ForbiddenPort string
	// Changed is called when there is a new answer.
	Changed func()

	mu     sync.Mutex
	answer *status.Verdict
}

// Answer is whether the network enforces policies; nil while nobody knows.
func (p *Probe) Answer() *status.Verdict {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer
}

// Start asks until the context ends. The manager calls it on the replica that leads.
func (p *Probe) Start(ctx context.Context) error {
	begin := time.Now()
	for {
		wait := again
		if found := p.look(ctx); found != nil {
			p.remember(*found)
			if found.Status != metav1.ConditionTrue {
				wait = soon // a policy takes a moment to be heeded, and a repair to be made
			}
		} else {
			wait = soon
			if p.Answer() == nil && time.Since(begin) > patience {
				p.remember(status.No("NotProbed", "whether the cluster's network enforces NetworkPolicies is not known, because no second replica of the operator answers: run two replicas, and check that they are Ready and reach each other"))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (p *Probe) remember(found status.Verdict) {
	p.mu.Lock()
	changed := p.answer == nil || *p.answer != found
	p.answer = &found
	p.mu.Unlock()
	if changed {
		p.Changed()
	}
}

// look asks every other replica; nil when none could be asked.
func (p *Probe) look(ctx context.Context) *status.Verdict {
	peers, err := p.Peers(ctx)
	if err != nil {
		return nil
	}
	asked := false
	for _, peer := range peers {
		// It must answer where it may, and say that it listens where it may not: otherwise
		// silence there would prove nothing.
		if !p.listens(ctx, peer) {
			continue
		}
		asked = true
		if reached(ctx, net.JoinHostPort(peer, p.ForbiddenPort)) {
			open := status.No("NotEnforced", "the cluster's network does not enforce NetworkPolicies, so nothing keeps tenants apart: install a network provider that does")
			return &open
		}
	}
	if !asked {
		return nil
	}
	closed := status.Yes("Enforced", "the tenant's network policies are in force: a connection that a policy forbids was tried and failed")
	return &closed
}

func (p *Probe) listens(ctx context.Context, peer string) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	address := fmt.Sprintf("http://%s/readyz/%s", net.JoinHostPort(peer, p.HealthPort), CheckName)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func reached(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: dialTime}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}
