package chain

import (
	"bytes"
	"encoding/json"
	"errors"
)

// errForm is for JSON that says the same as it should in other bytes, such as
// a name twice, of which two readers might see different ones.
var errForm = errors.New("is not in the one form that it is written in")

// Encode writes a value in its one form: JSON without spaces, names in the order
// of docs/trace.md, nothing escaped but what JSON or a line asks for.
func Encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads what Encode wrote and nothing else.
func decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return err
	}
	again, err := Encode(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, text) {
		return errForm
	}
	return nil
}

// ParseLink reads one line of an export.
func ParseLink(line []byte) (Link, error) {
	var link Link
	if err := decode(line, &link); err != nil {
		return Link{}, err
	}
	return link, link.check()
}

// ParseAnchor reads one line of an export's anchors.
func ParseAnchor(line []byte) (Anchor, error) {
	var anchor Anchor
	err := decode(line, &anchor)
	return anchor, err
}
