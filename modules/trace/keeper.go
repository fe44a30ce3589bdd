package trace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"ejustice.dev/operator/modules/trace/chain"
)

// Passes of a Keeper.
const (
	// Anchoring makes the next anchor.
	Anchoring = "anchor"
	// Recent verifies what is new since it last succeeded.
	Recent = "recent"
	// Full verifies everything, a part at a time, and then begins anew.
	Full = "full"
)

// Keeper anchors and verifies the trace while the module runs. Every replica runs
// one; the database lets one at a time do each pass.
type Keeper struct {
	DB     DB
	Signer Signer
	// Every is the pause between anchors, and between verifications of what is
	// new. What happened since the last anchor a superuser could still cut off
	// unnoticed.
	Every time.Duration
	// FullEvery is the pause between parts of the full pass. A part is
	// FullAnchors anchors and what they cover.
	FullEvery   time.Duration
	FullAnchors int
	// MaxUncovered is how old an entry may be without an anchor, several times
	// Every; 0 for any age.
	MaxUncovered time.Duration
	// Found is told of each pass, once at a time.
	Found func(Finding)

	keys  chain.Keys // as Vault last gave them
	known chain.Ref  // the last anchor that this process saw hold
}

// Finding is what a pass came to.
type Finding struct {
	Pass string
	// Report of a verification; empty for Anchoring. Whoever keeps its Position
	// outside the database can tell later whether the trace was cut off.
	Report chain.Report
	// Err says that it could not be done, or that the trace is not guarded as it
	// should be. It may still hold.
	Err error
}

// Run goes on until ctx ends. What fails is done again after the pause.
func (k *Keeper) Run(ctx context.Context) {
	full := time.Now()
	for ctx.Err() == nil {
		k.found(ctx, k.anchor(ctx))
		k.found(ctx, k.Pass(ctx, Recent))
		if time.Since(full) >= k.FullEvery {
			full = time.Now()
			k.found(ctx, k.Pass(ctx, Full))
		}
		// Spread, so that replicas do not always meet.
		timer := time.NewTimer(time.Duration((0.75 + rand.Float64()/2) * float64(k.Every)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// found passes on what a pass came to, unless it was another's turn or the end.
func (k *Keeper) found(ctx context.Context, finding *Finding) {
	if finding != nil && ctx.Err() == nil {
		k.Found(*finding)
	}
}

func (k *Keeper) anchor(ctx context.Context) *Finding {
	made, err := Anchor(ctx, k.DB, k.Signer)
	if !made && err == nil {
		return nil
	}
	return &Finding{Pass: Anchoring, Err: err}
}

// Pass does one Recent or Full pass now, and nil if another replica has begun it
// less than half a pause ago.
func (k *Keeper) Pass(ctx context.Context, pass string) *Finding {
	pause := k.Every
	if pass == Full {
		pause = k.FullEvery
	}
	var begun bool
	var number *int64
	var hash []byte
	err := k.DB.QueryRow(ctx, `SELECT begun, number, hash FROM trace.begin_pass($1, $2)`, pass, pause/2).Scan(&begun, &number, &hash)
	if err != nil {
		return &Finding{Pass: pass, Err: fmt.Errorf("begin to verify the trace: %w", err)}
	}
	if !begun {
		return nil
	}
	after := chain.Ref{Number: *number}
	copy(after.Hash[:], hash)
	finding := &Finding{Pass: pass}
	finding.Report, finding.Err = k.verify(ctx, pass, after)
	if finding.Err == nil {
		finding.Err = Ready(ctx, k.DB) // guards that are off today are tomorrow's break
	}
	return finding
}

func (k *Keeper) verify(ctx context.Context, pass string, after chain.Ref) (chain.Report, error) {
	keys, err := k.Signer.PublicKeys(ctx)
	if err == nil {
		k.keys = keys
	} else if k.keys == nil {
		return chain.Report{}, err
	}
	options := chain.Options{After: after, Window: verifyWindow}
	if pass == Full {
		options.Through = after.Number + int64(k.FullAnchors)
	} else {
		options.MaxUncovered, options.Now = k.MaxUncovered, time.Now()
		if k.known.Number > 0 {
			options.Known = []chain.Ref{k.known}
		}
	}
	report, err := chain.Verify(ctx, Live{k.DB}, k.keys, options)
	if err != nil || !report.OK() {
		return report, err // the next pass begins at the same place
	}
	next := report.Position
	if pass == Full && report.Anchors < k.FullAnchors {
		next = chain.Ref{} // the end; the next part is the first again
	} else if pass == Recent {
		k.known = report.Position
	}
	_, err = k.DB.Exec(ctx, `SELECT trace.end_pass($1, $2, $3)`, pass, next.Number, next.Hash[:])
	if err != nil {
		return report, fmt.Errorf("note how far the trace is verified: %w", err)
	}
	return report, nil
}
