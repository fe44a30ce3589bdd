package controllers

import (
	"fmt"
	"testing"

	"ejustice.dev/operator/api/v1alpha1"
)

// For every k: the operator is cut off right after its k-th API write while it provisions a
// tenant (the write has happened, the operator does not learn of it), and another operator
// takes over. The end must be the same as without the cut.
func TestStopAfterEveryWrite(t *testing.T) {
	var writes int
	var want []string
	t.Run("whole", func(t *testing.T) {
		operator := startOperator(t, nil)
		create(t, newTenant("fault-whole"))
		awaitReady(t, "fault-whole")
		quiesce(t, operator)
		operator.stop()
		writes = int(operator.requests.writes.Load())
		want = dump(t, "fault-whole")
	})
	t.Logf("%d writes, %d objects", writes, len(want))
	if writes < 20 {
		t.Fatalf("provisioning took %d writes only: the count must have missed some", writes)
	}
	for k := 1; k <= writes; k++ {
		name := fmt.Sprintf("fault-%03d", k)
		t.Run(name, func(t *testing.T) {
			cutOff(t, name, k)
			startOperator(t, nil)
			awaitReady(t, name)
			compareDumps(t, k, want, dump(t, name))
		})
	}
}

// cutOff provisions a tenant with an operator that stops after the k-th write. Writes may
// take another order than in the whole run and be fewer; then the tenant becomes Ready.
func cutOff(t *testing.T, tenant string, k int) {
	t.Helper()
	requests := &wire{cutAfter: int64(k)}
	operator := startOperator(t, requests)
	create(t, newTenant(tenant))
	await(t, fmt.Sprintf("write %d", k), func() (bool, string) {
		if requests.isCut() {
			return true, ""
		}
		read := &v1alpha1.JusticeTenant{}
		if err := suite.client.Get(t.Context(), tenantKey(tenant), read); err != nil {
			return false, err.Error()
		}
		ready, saw := hasCondition(read.Status.Conditions, read.Generation, v1alpha1.ConditionReady, "True", "")
		return ready, fmt.Sprintf("%d writes, %s", requests.writes.Load(), saw)
	})
	operator.stop()
}

func compareDumps(t *testing.T, k int, want, got []string) {
	t.Helper()
	for _, line := range missing(want, got) {
		t.Errorf("stopped after write %d: lacks %s", k, line)
	}
	for _, line := range missing(got, want) {
		t.Errorf("stopped after write %d: has %s", k, line)
	}
}

func missing(from, in []string) []string {
	have := map[string]int{}
	for _, line := range in {
		have[line]++
	}
	var out []string
	for _, line := range from {
		if have[line] == 0 {
			out = append(out, line)
			continue
		}
		have[line]--
	}
	return out
}
