package controllers

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ejustice.dev/operator/internal/status"
)

// failure is what a step failed with, in the words of the status.
type failure struct {
	verdict status.Verdict
	// stalled is true when trying again cannot help.
	stalled bool
}

// stepError carries a failure as an error.
type stepError struct{ failure }

func (e *stepError) Error() string { return e.verdict.Message }

// stalled is a failure that only a person can end.
func stalled(reason, message string) error {
	return &stepError{failure{status.No(reason, message), true}}
}

// retried is a failure that may pass by itself.
func retried(reason, message string) error {
	return &stepError{failure{status.No(reason, message), false}}
}

// failureOf finds what to say about an error; nil when it means nothing to people, such as a
// conflict or a connection that broke, which the next attempt settles.
func failureOf(err error) *failure {
	var step *stepError
	switch {
	case errors.As(err, &step):
		return &step.failure
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err):
		return &failure{verdict: status.No("ChangeRefused", "the API server refuses a change: "+err.Error())}
	}
	return nil
}
