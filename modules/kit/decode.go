package kit

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// maxTokens bounds the values, names and brackets of one input, so that a body
// cannot become much more memory or work than its bytes. A country's list of
// courts has a few thousand.
const maxTokens = 100_000

// DecodeJSON reads exactly one JSON value into a pointer to a struct. It is
// stricter than encoding/json, because a misspelt field in a court filing or a
// ministry's configuration must never be ignored: names are case-sensitive,
// unknown and repeated fields are refused, and every fault is reported with
// its path. The faults come back as FieldErrors; an error of the reader comes
// back wrapped.
//
// It fills structs, slices, map[string]string, string, int64 and []byte
// (base64). null leaves a field empty.
func DecodeJSON(r io.Reader, into any) error {
	d := &decoder{json: json.NewDecoder(r)}
	d.json.UseNumber()
	if err := d.value("", reflect.ValueOf(into).Elem()); err != nil {
		return unreadable(err)
	}
	switch _, err := d.token(); {
	case err == nil:
		d.errs.Add("body", "must be a single JSON value")
	case err != io.EOF:
		return unreadable(err)
	}
	return d.errs.Err()
}

// unreadable tells text that is not JSON from a reader that failed.
func unreadable(err error) error {
	var faults FieldErrors
	if errors.As(err, &faults) {
		return faults
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return FieldErrors{{"body", fmt.Sprintf("is not valid JSON (at byte %d)", syntax.Offset)}}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return FieldErrors{{"body", "is not valid JSON (it ends too early)"}}
	}
	return fmt.Errorf("read JSON: %w", err)
}

type decoder struct {
	json   *json.Decoder
	tokens int
	errs   FieldErrors
}

func (d *decoder) token() (json.Token, error) {
	if d.tokens++; d.tokens > maxTokens {
		return nil, FieldErrors{{"body", "has too many values"}}
	}
	return d.json.Token()
}

func (d *decoder) value(path string, target reflect.Value) error {
	token, err := d.token()
	if err != nil {
		return err
	}
	kind := target.Kind()
	bytes := kind == reflect.Slice && target.Type().Elem().Kind() == reflect.Uint8
	switch t := token.(type) {
	case nil:
		return nil
	case json.Delim:
		switch {
		case t == '{' && kind == reflect.Struct:
			return d.object(path, target)
		case t == '{' && kind == reflect.Map:
			return d.texts(path, target)
		case t == '[' && kind == reflect.Slice && !bytes:
			return d.array(path, target)
		}
		d.mismatch(path, target)
		return d.skip(1)
	case string:
		switch {
		case kind == reflect.String:
			target.SetString(t)
			return nil
		case bytes:
			content, err := base64.StdEncoding.Strict().DecodeString(t)
			if err != nil {
				d.errs.Add(path, "must be base64")
			}
			target.SetBytes(content)
			return nil
		}
	case json.Number:
		if kind == reflect.Int64 {
			n, err := strconv.ParseInt(t.String(), 10, 64)
			if err != nil {
				d.errs.Add(path, "must be a whole number")
			}
			target.SetInt(n)
			return nil
		}
	}
	d.mismatch(path, target)
	return nil
}

func (d *decoder) object(path string, target reflect.Value) error {
	seen := map[string]bool{}
	for d.json.More() {
		name, err := d.name()
		if err != nil {
			return err
		}
		field := join(path, name)
		index, known := fieldNamed(target.Type(), name)
		switch {
		case !known:
			d.errs.Add(field, "is not a known field")
		case seen[name]:
			d.errs.Add(field, "appears twice")
		default:
			seen[name] = true
			if err := d.value(field, target.Field(index)); err != nil {
				return err
			}
			continue
		}
		if err := d.skip(0); err != nil {
			return err
		}
	}
	return d.end()
}

func (d *decoder) texts(path string, target reflect.Value) error {
	target.Set(reflect.MakeMap(target.Type()))
	for d.json.More() {
		name, err := d.name()
		if err != nil {
			return err
		}
		field := join(path, name)
		key := reflect.ValueOf(name)
		if target.MapIndex(key).IsValid() {
			d.errs.Add(field, "appears twice")
		}
		text := reflect.New(target.Type().Elem()).Elem()
		if err := d.value(field, text); err != nil {
			return err
		}
		target.SetMapIndex(key, text)
	}
	return d.end()
}

func (d *decoder) array(path string, target reflect.Value) error {
	for i := 0; d.json.More(); i++ {
		item := reflect.New(target.Type().Elem()).Elem()
		if err := d.value(fmt.Sprintf("%s[%d]", path, i), item); err != nil {
			return err
		}
		target.Set(reflect.Append(target, item))
	}
	return d.end()
}

// name reads the name of an object's next member.
func (d *decoder) name() (string, error) {
	token, err := d.token()
	if err != nil {
		return "", err
	}
	return token.(string), nil
}

// end reads the closing bracket.
func (d *decoder) end() error {
	_, err := d.token()
	return err
}

// skip reads past the rest of a value of which depth brackets are open; with
// depth 0 it reads one whole value.
func (d *decoder) skip(depth int) error {
	for {
		token, err := d.token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (d *decoder) mismatch(path string, target reflect.Value) {
	want := map[reflect.Kind]string{
		reflect.Struct: "an object", reflect.Map: "an object", reflect.Slice: "a list",
		reflect.String: "text", reflect.Int64: "a whole number",
	}[target.Kind()]
	if target.Type() == reflect.TypeFor[[]byte]() {
		want = "base64 text"
	}
	if path == "" {
		path = "body"
	}
	d.errs.Add(path, "must be %s", want)
}

func fieldNamed(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return i, true
		}
	}
	return 0, false
}

// join extends a path. A name that is not a plain word is cut and quoted, so
// that an error never carries a stranger's text at length.
func join(path, name string) string {
	plain := len(name) > 0 && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
	if !plain {
		name = fmt.Sprintf("%.20q", name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
