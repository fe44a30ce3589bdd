package kit

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// problemTypes is the folder of this platform's problem types. They are names;
// a client compares them and need not open them.
const problemTypes = "https://ejustice.dev/problems/"

// Problem is an error answer of an API, as in RFC 9457. It is also a Go error,
// so that a handler returns it.
type Problem struct {
	Type   string      `json:"type"`
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail,omitempty"`
	Errors FieldErrors `json:"errors,omitempty"`
	// RetryAfter, in seconds, is sent as a header when it is not 0.
	RetryAfter int `json:"-"`
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// NewProblem makes a problem. kind is the last part of its type, for example
// "not-found".
func NewProblem(status int, kind, title, detail string) *Problem {
	return &Problem{Type: problemTypes + kind, Title: title, Status: status, Detail: detail}
}

// InvalidInput is the answer to an input with faults.
func InvalidInput(errs FieldErrors) *Problem {
	p := NewProblem(http.StatusBadRequest, "invalid-input", "The input is not valid",
		"Nothing was stored. Correct the named fields and send it again.")
	p.Errors = errs
	return p
}

// NotFound is the answer when there is no such thing.
func NotFound() *Problem {
	return NewProblem(http.StatusNotFound, "not-found", "Not found", "There is nothing at this address.")
}

// TooLarge is the answer to a body or document beyond a limit.
func TooLarge(detail string, errs FieldErrors) *Problem {
	p := NewProblem(http.StatusRequestEntityTooLarge, "too-large", "Too large", detail)
	p.Errors = errs
	return p
}

// TryLater is the answer when the service cannot do its work just now.
func TryLater(detail string) *Problem {
	p := NewProblem(http.StatusServiceUnavailable, "unavailable", "Not available just now", detail)
	p.RetryAfter = 5
	return p
}

// asProblem turns any error of a handler into the answer for the client. The
// cause of an unexpected error is never told to the client.
func asProblem(err error) *Problem {
	var problem *Problem
	var fields FieldErrors
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &fields):
		return InvalidInput(fields)
	case errors.As(err, &tooLarge):
		return TooLarge("The request may have at most "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes.", nil)
	case Unavailable(err):
		return TryLater("The database does not answer. Send the request again with the same Idempotency-Key: nothing is stored twice.")
	}
	return NewProblem(http.StatusInternalServerError, "internal", "Something went wrong",
		"The fault was recorded. Send the request again later; give the X-Request-Id when you report it.")
}

func (p *Problem) write(w http.ResponseWriter) {
	writeJSON(w, p.Status, "application/problem+json", p)
}

// WriteJSON answers with a JSON value.
func WriteJSON(w http.ResponseWriter, status int, value any) error {
	return writeJSON(w, status, "application/json", value)
}

func writeJSON(w http.ResponseWriter, status int, mediaType string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, err = w.Write(append(body, '\n'))
	return err
}
