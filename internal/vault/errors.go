package vault

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
)

const reasonUnreachable = "VaultUnreachable"

// Error is why Vault does not do what is asked, in the words of a condition.
type Error struct {
	// Reason is VaultSealed, VaultUnreachable, VaultForbidden, VaultRefused or KeyMissing.
	Reason string
	// Message says what to do.
	Message string
	// Person is true when trying again cannot help.
	Person bool
	cause  error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.cause }

// classify tells apart what people mend in different ways. A cancelled context is nobody's
// fault and stays what it is.
func classify(err error) error {
	var answer *api.ResponseError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &answer):
		return answered(err, answer)
	}
	var network net.Error
	var address *url.Error
	if errors.As(err, &network) || errors.As(err, &address) {
		return &Error{Reason: reasonUnreachable, cause: err,
			Message: "Vault does not answer: check that it runs and that the operator reaches it; modules go on while their credentials last"}
	}
	return err
}

func answered(err error, answer *api.ResponseError) error {
	said := strings.TrimSpace(strings.Join(answer.Errors, "; "))
	switch code := answer.StatusCode; {
	case code == http.StatusServiceUnavailable && strings.Contains(said, "sealed"):
		return &Error{Reason: "VaultSealed", cause: err,
			Message: "Vault is sealed: unseal it; modules go on while their credentials last"}
	case code >= http.StatusInternalServerError:
		return &Error{Reason: reasonUnreachable, cause: err,
			Message: "Vault answers with an error: " + said}
	case code == http.StatusForbidden:
		return &Error{Reason: "VaultForbidden", cause: err,
			Message: "Vault forbids the operator what it needs: apply config/vault/operator-policy.hcl and check the operator's role there: " + where(answer)}
	case code == http.StatusNotFound:
		return &Error{Reason: "VaultRefused", cause: err,
			Message: "Vault does not know " + where(answer) + ": it was taken away, and is made anew"}
	default:
		return &Error{Reason: "VaultRefused", cause: err, Message: "Vault refuses " + where(answer) + ": " + said}
	}
}

// where is the path of a request, without the server's address.
func where(answer *api.ResponseError) string {
	u, err := url.Parse(answer.URL)
	if err != nil {
		return "a request"
	}
	return answer.HTTPMethod + " " + strings.TrimPrefix(u.Path, "/v1/")
}

func statusOf(err error) int {
	var answer *api.ResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// absent reports whether Vault says that the path does not exist. Of a mount that is gone it
// says so in a client error, too.
func absent(err error) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusNotFound ||
		answer.StatusCode == http.StatusBadRequest && strings.Contains(strings.Join(answer.Errors, " "), "unsupported path"))
}
