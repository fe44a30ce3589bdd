package kit

import (
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// Key encrypts and decrypts documents.
//
// The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online
// Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015), as in
// Tink's AES-GCM-HKDF: a document is cut into segments that are each encrypted
// with AES-256-GCM. The nonce of a segment is a random prefix, the segment's
// number and whether it is the last; so segments cannot be exchanged, left out
// or cut off. Each document has a key of its own, derived by HKDF-SHA-256 from
// the data key, a random salt and the document's id; so nonces of two documents
// never meet, and one document's content cannot be passed off as another's.
//
// Segments are released as soon as each is authentic. That the last has been
// read is known only when the reader says io.EOF.
type Key struct {
	ID   uuid.UUID
	aead *subtle.AESGCMHKDF
}

const (
	keyBytes = 32
	// segmentBytes is how much of a document is in memory at once.
	segmentBytes = 256 << 10
)

func newKey(id uuid.UUID, plain []byte) (Key, error) {
	if len(plain) != keyBytes {
		return Key{}, errors.New("a data key must have 32 bytes")
	}
	aead, err := subtle.NewAESGCMHKDF(plain, "SHA256", keyBytes, segmentBytes, 0)
	if err != nil {
		return Key{}, fmt.Errorf("use data key: %w", err)
	}
	return Key{id, aead}, nil
}

// Seal encrypts into w what is written to it. Close it to finish.
func (k Key) Seal(w io.Writer, document uuid.UUID) (io.WriteCloser, error) {
	return k.aead.NewEncryptingWriter(w, document[:])
}

// Open decrypts r. Its errors say nothing about the content.
func (k Key) Open(r io.Reader, document uuid.UUID) (io.Reader, error) {
	return k.aead.NewDecryptingReader(r, document[:])
}
