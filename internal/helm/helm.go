// Package helm installs module charts with the Helm v3 SDK. It is the only package that
// knows Helm's actions and storage; everything else sees Releases.
package helm

import (
	"context"

	"helm.sh/helm/v3/pkg/chart"

	"ejustice.dev/operator/internal/apply"
)

// State is what a release's newest revision is in.
type State int

// The states of a release.
const (
	// Deployed: the last operation succeeded.
	Deployed State = iota
	// Failed: the last operation failed; the objects may be half changed.
	Failed
	// Pending: an operation began and has not ended. Since there is one writer, it was
	// cut off.
	Pending
	// Uninstalling: an uninstallation began and has not ended.
	Uninstalling
)

// Release is what Helm has stored about one release.
type Release struct {
	// The number of the newest revision.
	Revision int
	// The state of the newest revision.
	State State
	// What the newest revision was made from, as given in Request.Inputs.
	Inputs string
	// The module version of the newest deployed revision, or of the newest revision when
	// none is deployed.
	Version string
	// The objects of the newest revision, in the form the API server gives them.
	Objects []apply.Object
}

// Request says what to install.
type Request struct {
	// Namespace and name of the release.
	Namespace, Name string
	// The chart.
	Chart *chart.Chart
	// The chart's values; VersionOf finds the module's version in them.
	Values map[string]any
	// A fingerprint of chart and values, at most 63 characters of a label value.
	Inputs string
	// Labels that every object of the release gets.
	Labels map[string]string
}

// Releases runs Helm's operations. None of them waits for workloads, and none may run twice
// at once for the same release.
type Releases interface {
	// Observe reads the newest revision; nil when there is no release.
	Observe(ctx context.Context, namespace, name string) (*Release, error)
	// Install makes the first revision.
	Install(ctx context.Context, request Request) error
	// Upgrade makes the next revision, also after a failed one.
	Upgrade(ctx context.Context, request Request) error
	// Unlock marks a revision that was cut off as failed, so that Upgrade can follow.
	Unlock(ctx context.Context, namespace, name string) error
	// Uninstall removes the objects and the history. A missing release is fine.
	Uninstall(ctx context.Context, namespace, name string) error
}

// ValuesError means that the values do not fit the chart's schema; the message names the
// field. Only changed values can help.
type ValuesError struct{ Message string }

func (e *ValuesError) Error() string { return e.Message }

// ChartError means that the chart asks for something the operator does not install. Only
// another chart can help.
type ChartError struct{ Message string }

func (e *ChartError) Error() string { return e.Message }

// VersionOf finds the module's version in the values of a release.
func VersionOf(values map[string]any) string {
	platform, _ := values["platform"].(map[string]any)
	module, _ := platform["module"].(map[string]any)
	version, _ := module["version"].(string)
	return version
}
