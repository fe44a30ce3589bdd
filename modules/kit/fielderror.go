package kit

import (
	"fmt"
	"strings"
)

// maxFieldErrors bounds an answer: nobody mends more than this in one go.
const maxFieldErrors = 100

// FieldError says what is wrong with one field of an input, for example
// {"parties[0].name", "is required"}.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// FieldErrors is every fault found in one input, so that a person mends them
// all at once. The zero value is ready to use.
type FieldErrors []FieldError

// Add records a fault. Messages never repeat the value: it may be personal.
func (e *FieldErrors) Add(field, format string, args ...any) {
	if len(*e) < maxFieldErrors {
		*e = append(*e, FieldError{field, fmt.Sprintf(format, args...)})
	}
}

// Err returns the faults as an error, or nil when there are none.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Field + " " + f.Message
	}
	return strings.Join(parts, "; ")
}
