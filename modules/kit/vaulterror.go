package kit

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// VaultError says in plain words what Vault did not do and why. It holds no
// secret.
type VaultError struct {
	doing string
	why   string
	// status of Vault's answer, 0 when there was none.
	status int
	// answer is Vault's own words, for the log.
	answer string
}

func (e *VaultError) Error() string { return e.doing + ": " + e.why }

// refused says whether Vault answered that it will not, because what it is
// asked for is not there (any more) or not allowed.
func (e *VaultError) refused() bool {
	return e.status == http.StatusBadRequest || e.status == http.StatusForbidden || e.status == http.StatusNotFound
}

// fault explains err. No error at all means that the answer held nothing.
func (settings VaultSettings) fault(doing string, err error) *VaultError {
	fault := &VaultError{doing: doing}
	var answer *api.ResponseError
	switch {
	case err == nil:
		fault.why = "the answer holds nothing; check role " + settings.Role
	case !errors.As(err, &answer):
		fault.why, fault.answer = "unreachable", err.Error()
	default:
		fault.explain(settings, answer)
	}
	return fault
}

func (e *VaultError) explain(settings VaultSettings, answer *api.ResponseError) {
	e.status, e.answer = answer.StatusCode, strings.Join(answer.Errors, "; ")
	sealed := slices.ContainsFunc(answer.Errors, func(text string) bool { return strings.Contains(text, "sealed") })
	switch {
	case e.refused():
		e.why = "refused: check role " + settings.Role
	case sealed:
		e.why = "sealed"
	default:
		e.why = fmt.Sprintf("answers with status %d", answer.StatusCode)
	}
}
