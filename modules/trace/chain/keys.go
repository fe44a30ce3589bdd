package chain

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Keys are public keys by their id.
type Keys map[string]ed25519.PublicKey

// verify says what is wrong with a signature, or "".
func (k Keys) verify(id string, message, signature []byte) string {
	key, found := k[id]
	switch {
	case !found:
		return fmt.Sprintf("it is signed with the key %q, which is not one of those to be trusted", id)
	case len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, signature):
		return fmt.Sprintf("its signature is not that of the key %q", id)
	}
	return ""
}

// PublicKey is a key as people pass it on: one line with its id and its 32
// bytes in base64.
type PublicKey struct {
	ID        string `json:"id"`
	PublicKey []byte `json:"publicKey"`
}

// ReadKeys reads keys from lines of an id and a key in base64 with a space
// between. Empty lines and those that begin with # do not count.
func ReadKeys(r io.Reader) (Keys, error) {
	keys := Keys{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, text, _ := strings.Cut(line, " ")
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("line %d must be a key's id, a space, and the key's 32 bytes in base64", n)
		}
		if _, twice := keys[id]; twice {
			return nil, fmt.Errorf("line %d: the key %s is there twice", n, id)
		}
		keys[id] = key
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key")
	}
	return keys, nil
}
