package controllers

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// maxSteps bounds how many steps one reconciliation may do before others get a turn.
	maxSteps = 40

	// resyncAfter is how often a settled object is looked at without cause, for what no
	// watch reports, such as Vault or an external database.
	resyncAfter = 2 * time.Minute

	// waitAfter is how soon something unsettled is looked at again when no watch reports.
	waitAfter = 10 * time.Second

	// shortAfter is how soon something is looked at again that is a matter of moments: the
	// API server heeds a new RoleBinding, or the last pod ends.
	shortAfter = 300 * time.Millisecond
)

// again says how a reconciliation goes on after a step.
type again int

const (
	now     again = iota // look at once: the step changed something
	shortly              // look after shortAfter
	soon                 // wait for a watch, and look at the latest after waitAfter
	later                // settled: look after resyncAfter
	never                // gone
)

// steps runs one step after another until there is nothing more to do at once.
func steps(ctx context.Context, step func(context.Context) (again, error)) (ctrl.Result, error) {
	for range maxSteps {
		next, err := step(ctx)
		if err != nil {
			return ctrl.Result{}, err
		}
		switch next {
		case shortly:
			return ctrl.Result{RequeueAfter: shortAfter}, nil
		case soon:
			return ctrl.Result{RequeueAfter: waitAfter}, nil
		case later:
			return ctrl.Result{RequeueAfter: resyncAfter}, nil
		case never:
			return ctrl.Result{}, nil
		}
		if ctx.Err() != nil {
			return ctrl.Result{}, ctx.Err()
		}
	}
	return ctrl.Result{RequeueAfter: time.Second}, nil
}
