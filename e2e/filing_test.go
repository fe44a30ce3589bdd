//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ejustice.dev/operator/hack/tenant"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const court = "RAM-SOLH"

func filing(n int) tenant.Filing {
	return tenant.Filing{
		CourtCode: court, CaseType: "CIV", Title: fmt.Sprintf("Claim %d (fictitious)", n),
		Parties: []map[string]any{
			{"role": "claimant", "kind": "person", "name": fmt.Sprintf("Claimant %d (fictitious)", n)},
			{"role": "defendant", "kind": "organisation", "name": "Example Company (fictitious)"},
		},
		Documents: []tenant.Document{{Name: "claim.txt", MediaType: "text/plain", ContentText: fmt.Sprintf("Statement of claim %d.", n)}},
	}
}

// session is one client's tunnel to the module. It finds another pod when its
// own goes away, as a person would load the page again.
type session struct {
	namespace string
	cm        *tenant.CaseManagement
	done      func()
}

func (s *session) close() {
	if s.done != nil {
		s.done()
	}
	s.cm, s.done = nil, nil
}

// do tries until the module answers; each try carries the same idempotency key.
func (s *session) do(ctx context.Context, call func(*tenant.CaseManagement) error) error {
	return cluster.Await(ctx, 2*time.Minute, func(ctx context.Context) (bool, error) {
		if s.cm == nil {
			var err error
			if s.cm, s.done, err = cluster.FrontDoor(ctx, s.namespace); err != nil {
				return false, err
			}
		}
		if err := call(s.cm); err != nil {
			s.close()
			return false, err
		}
		return true, nil
	})
}

// fileConcurrently hands in count filings by 8 clients and returns the cases
// that the module acknowledged, by their keys. disturb hears of each one.
func fileConcurrently(t *testing.T, namespace, run string, count int, disturb func(acknowledged int)) map[string]string {
	t.Helper()
	var (
		queue        = make(chan int, count)
		mu           sync.Mutex
		acknowledged = map[string]string{}
		number       atomic.Int32
		clients      sync.WaitGroup
	)
	for i := range count {
		queue <- i
	}
	close(queue)
	for range 8 {
		clients.Go(func() {
			s := &session{namespace: namespace}
			defer s.close()
			for i := range queue {
				key := fmt.Sprintf("%s-%d", run, i)
				var filed *tenant.Case
				err := s.do(t.Context(), func(cm *tenant.CaseManagement) (err error) {
					filed, err = cm.File(t.Context(), key, filing(i))
					return err
				})
				if err != nil {
					t.Errorf("filing %d: %v", i, err)
					return
				}
				mu.Lock()
				acknowledged[key] = filed.ID
				mu.Unlock()
				disturb(int(number.Add(1)))
			}
		})
	}
	clients.Wait()
	return acknowledged
}

func list(t *testing.T, namespace string) []tenant.Case {
	t.Helper()
	s := &session{namespace: namespace}
	defer s.close()
	var cases []tenant.Case
	if err := s.do(t.Context(), func(cm *tenant.CaseManagement) (err error) {
		cases, err = cm.List(t.Context(), "court="+court)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return cases
}

// requireAll fails unless the cases on file are exactly the acknowledged ones.
func requireAll(t *testing.T, onFile []tenant.Case, acknowledged map[string]string) {
	t.Helper()
	ids := map[string]bool{}
	for _, c := range onFile {
		ids[c.ID] = true
	}
	for key, id := range acknowledged {
		if !ids[id] {
			t.Errorf("case %s (%s) was acknowledged and is gone", id, key)
		}
	}
	if len(onFile) != len(acknowledged) {
		t.Errorf("%d cases are on file, %d were acknowledged", len(onFile), len(acknowledged))
	}
}

// requireGapless fails unless the numbers are 1 to n, each once.
func requireGapless(t *testing.T, numbers []string, sequence func(string) string) {
	t.Helper()
	got := make([]string, 0, len(numbers))
	for _, n := range numbers {
		got = append(got, fmt.Sprintf("%06s", strings.TrimLeft(sequence(n), "0")))
	}
	slices.Sort(got)
	for i, n := range got {
		if want := fmt.Sprintf("%06d", i+1); n != want {
			t.Fatalf("numbers have a gap or a double at %s: found %s", want, n)
		}
	}
}

func lastPart(number string) string  { return number[strings.LastIndexByte(number, '-')+1:] }
func firstPart(number string) string { return number[:strings.IndexByte(number, '/')] }

// killPods ends pods without the time to finish what they do.
func killPods(ctx context.Context, namespace string, labels client.MatchingLabels) error {
	var pods corev1.PodList
	if err := cluster.List(ctx, &pods, client.InNamespace(namespace), labels); err != nil {
		return err
	}
	if len(pods.Items) == 0 {
		return fmt.Errorf("no pod with labels %v in %s", labels, namespace)
	}
	for i := range pods.Items {
		if err := client.IgnoreNotFound(cluster.Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0))); err != nil {
			return err
		}
	}
	return nil
}

func get(t *testing.T, namespace, path string) (int, http.Header, string) {
	t.Helper()
	s := &session{namespace: namespace}
	defer s.close()
	var code int
	var header http.Header
	var body string
	if err := s.do(t.Context(), func(cm *tenant.CaseManagement) (err error) {
		code, header, body, err = cm.Get(t.Context(), path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return code, header, body
}
