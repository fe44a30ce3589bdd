package trace_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/modules/trace"
	"ejustice.dev/operator/modules/trace/chain"
)

func (f *fixture) keeper() *trace.Keeper {
	return &trace.Keeper{DB: f.pool, Signer: f.key, FullAnchors: 2}
}

func pass(t *testing.T, k *trace.Keeper, name string) chain.Report {
	t.Helper()
	finding := k.Pass(ctx, name)
	if finding == nil || finding.Err != nil {
		t.Fatalf("%s: %+v", name, finding)
	}
	return finding.Report
}

// What is new is verified at the cost of what is new.
func TestRecentPassGoesOn(t *testing.T) {
	t.Parallel()
	f := start(t)
	k := f.keeper()
	for _, want := range []struct {
		fill    int
		links   int64
		anchors int
	}{{5, 5, 1}, {2, 2, 1}, {0, 0, 0}, {1, 1, 1}} {
		if want.fill > 0 {
			f.fill(t, want.fill, "AAA")
			f.anchor(t)
		}
		if report := pass(t, k, trace.Recent); !report.OK() || report.Links != want.links || report.Anchors != want.anchors {
			t.Errorf("%d links, %d anchors, want %+v: %s", report.Links, report.Anchors, want, report)
		}
	}
	// What no anchor covers yet is verified each time, until one does.
	f.fill(t, 2, "AAA")
	for range 2 {
		if report := pass(t, k, trace.Recent); !report.OK() || report.Links != 2 || report.Uncovered != 2 {
			t.Errorf("%d links, %d uncovered: %s", report.Links, report.Uncovered, report)
		}
	}
}

// An old row is not looked at again by the pass over what is new, but by the full
// one, which goes round.
func TestFullPassGoesRound(t *testing.T) {
	t.Parallel()
	f := start(t)
	k := f.keeper()
	for range 5 {
		f.fill(t, 2, "AAA")
		f.anchor(t)
	}
	for _, links := range []int64{4, 4, 2, 4} {
		if report := pass(t, k, trace.Full); !report.OK() || report.Links != links {
			t.Errorf("%d links, want %d: %s", report.Links, links, report)
		}
	}
	pass(t, k, trace.Recent)
	f.exec(t, `UPDATE trace.entry SET reason = 'x' WHERE seq = 3`)
	if report := pass(t, k, trace.Recent); !report.OK() {
		t.Errorf("the recent pass looked at what was verified: %s", report)
	}
	pass(t, k, trace.Full) // the second and third part
	pass(t, k, trace.Full)
	for range 2 { // and it stays found
		if report := pass(t, k, trace.Full); report.OK() || report.Breaks[0].Seq != 3 {
			t.Errorf("the full pass: %s", report)
		}
	}
}

// The note of how far it was verified is not believed.
func TestProgressIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"another hash":      `UPDATE trace.progress SET hash = sha256('x')`,
		"an anchor to come": `UPDATE trace.progress SET number = 9`,
		"the anchor gone":   `DELETE FROM trace.anchor WHERE number = 2; DELETE FROM trace.anchor_head WHERE number = 2`,
		"its heads changed": `UPDATE trace.anchor_head SET hash = sha256('x') WHERE number = 2`,
	} {
		f := start(t)
		k := f.keeper()
		for range 2 {
			f.fill(t, 2, "AAA")
			f.anchor(t)
		}
		pass(t, k, trace.Recent)
		f.exec(t, sql)
		if report := pass(t, k, trace.Recent); report.OK() || report.Breaks[0].Kind != chain.BadAnchor {
			t.Errorf("%s: %s", name, report)
		}
	}
}

// A process remembers the last anchor that it saw, even if a superuser takes back
// everything that the database knows of it.
func TestKeeperRemembers(t *testing.T) {
	t.Parallel()
	f := start(t)
	k := f.keeper()
	for range 2 {
		f.fill(t, 2, "AAA")
		f.anchor(t)
	}
	pass(t, k, trace.Recent)
	f.exec(t, `DELETE FROM trace.entry WHERE seq > 2; DELETE FROM trace.anchor WHERE number = 2; DELETE FROM trace.anchor_head WHERE number = 2;
		UPDATE trace.head SET seq = 2, hash = (SELECT hash FROM trace.entry WHERE seq = 2) WHERE shard = 0; UPDATE trace.progress SET number = 0`)
	if report := pass(t, k, trace.Recent); report.OK() || !strings.Contains(report.String(), "cut off") {
		t.Error(report)
	}
}

// Anchors that fail to come are noticed.
func TestUncoveredIsABreak(t *testing.T) {
	t.Parallel()
	f := start(t)
	k := f.keeper()
	k.MaxUncovered = time.Hour
	f.fill(t, 2, "AAA")
	f.anchor(t)
	f.fill(t, 2, "AAA")
	if report := pass(t, k, trace.Recent); !report.OK() {
		t.Error(report)
	}
	k.MaxUncovered = time.Nanosecond
	if report := pass(t, k, trace.Recent); report.OK() || report.Breaks[0].Kind != chain.Uncovered || report.Breaks[0].Seq != 3 {
		t.Error(report)
	}
}

// Two replicas do not do the same.
func TestOneReplicaAtATime(t *testing.T) {
	t.Parallel()
	f := start(t)
	one, other := f.keeper(), f.keeper()
	one.Every, other.Every = time.Hour, time.Hour
	if finding := one.Pass(ctx, trace.Recent); finding == nil || finding.Err != nil {
		t.Errorf("the first: %+v", finding)
	}
	if finding := other.Pass(ctx, trace.Recent); finding != nil {
		t.Errorf("the second: %+v", finding)
	}
}

// outage signs until it is away.
type outage struct {
	trace.Signer
	away bool
}

var errAway = errors.New("away")

func (o *outage) Sign(ctx context.Context, message []byte) ([]byte, string, error) {
	if o.away {
		return nil, "", errAway
	}
	return o.Signer.Sign(ctx, message)
}

func (o *outage) PublicKeys(ctx context.Context) (chain.Keys, error) {
	if o.away {
		return nil, errAway
	}
	return o.Signer.PublicKeys(ctx)
}

// While the signer is away, entries are appended and verified, and only anchors
// are missing.
func TestSignerAway(t *testing.T) {
	t.Parallel()
	f := start(t)
	k, signer := f.keeper(), &outage{Signer: f.key, away: true}
	k.Signer = signer
	f.fill(t, 1, "AAA")
	if finding := k.Pass(ctx, trace.Recent); !errors.Is(finding.Err, errAway) {
		t.Errorf("without keys: %+v", finding)
	}
	signer.away = false
	pass(t, k, trace.Recent)
	signer.away = true
	f.fill(t, 1, "AAA")
	if report := pass(t, k, trace.Recent); !report.OK() || report.Links != 2 {
		t.Error(report)
	}
	if _, err := trace.Anchor(ctx, f.pool, signer); !errors.Is(err, errAway) {
		t.Errorf("anchor: %v", err)
	}
}

// Run anchors and verifies by itself, and tells what it finds.
func TestKeeperRuns(t *testing.T) {
	t.Parallel()
	f := start(t)
	findings := make(chan trace.Finding)
	k := f.keeper()
	k.Every, k.FullEvery, k.FullAnchors = time.Millisecond, time.Millisecond, 1000
	running, stop := context.WithCancel(ctx)
	k.Found = func(finding trace.Finding) {
		select {
		case findings <- finding:
		case <-running.Done():
		}
	}
	ended := make(chan struct{})
	go func() { k.Run(running); close(ended) }()
	f.fill(t, 3, "AAA")
	await := func(what string, is func(trace.Finding) bool) {
		t.Helper()
		limit := time.After(30 * time.Second)
		for {
			select {
			case finding := <-findings:
				if is(finding) {
					return
				}
			case <-limit:
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	await("an anchor", func(got trace.Finding) bool { return got.Pass == trace.Anchoring && got.Err == nil })
	await("a pass over all three", func(got trace.Finding) bool { return got.Pass == trace.Full && got.Report.Links == 3 })
	f.exec(t, `UPDATE trace.entry SET reason = 'x' WHERE seq = 2`)
	await("the break", func(got trace.Finding) bool {
		return got.Pass == trace.Full && !got.Report.OK() && strings.Contains(fmt.Sprint(got.Report), "entry 2")
	})
	stop()
	<-ended
}

// Guards that somebody has switched off are reported, even before anything was
// changed.
func TestGuardsAreWatched(t *testing.T) {
	t.Parallel()
	f := start(t)
	k := f.keeper()
	f.fill(t, 1, "AAA")
	pass(t, k, trace.Recent)
	if _, err := f.admin.Exec(ctx, `ALTER TABLE trace.entry DISABLE TRIGGER stays`); err != nil {
		t.Fatal(err)
	}
	if finding := k.Pass(ctx, trace.Recent); finding.Err == nil || !finding.Report.OK() || !strings.Contains(finding.Err.Error(), "switched off") {
		t.Errorf("%+v", finding)
	}
}

// However many anchors are held in memory at once, the result is the same.
func TestWindows(t *testing.T) {
	t.Parallel()
	f := start(t)
	for range 5 {
		f.fill(t, 2, "AAA", "BBB")
		f.anchor(t)
	}
	f.fill(t, 1, "CCC")
	keys, _ := f.key.PublicKeys(ctx)
	for _, broken := range []bool{false, true} {
		if broken {
			f.exec(t, `UPDATE trace.entry SET reason = 'x' WHERE court = 'BBB' AND seq = 6`)
		}
		for _, window := range []int{0, 1, 2, 1000} {
			report, err := chain.Verify(ctx, trace.Live{DB: f.pool}, keys, chain.Options{Window: window})
			if err != nil || report.OK() == broken || broken && (len(report.Breaks) != 1 || report.Breaks[0].Seq != 6) || !broken && report.Links != 21 || report.Anchors != 5 {
				t.Errorf("window %d: %+v, error %v", window, report, err)
			}
		}
	}
}
