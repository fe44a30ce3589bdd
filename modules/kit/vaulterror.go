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
	// refused is true when Vault answered that it will not; asking again is of
	// no use before something changes.
	refused bool
	// answer is Vault's own words, for the log.
	answer string
}

func (e *VaultError) Error() string { return e.doing + ": " + e.why }

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
	e.answer = strings.Join(answer.Errors, "; ")
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		e.refused, e.why = true, "refused: check role "+settings.Role
	case http.StatusServiceUnavailable:
		e.why = "not ready"
		if slices.ContainsFunc(answer.Errors, func(text string) bool { return strings.Contains(text, "sealed") }) {
			e.why = "sealed"
		}
	default:
		e.why = fmt.Sprintf("answers with status %d", answer.StatusCode)
	}
}
