package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"ejustice.dev/operator/modules/kit"
)

// argonParams are the costs of a hash: memory in KiB, passes and lanes.
type argonParams struct{ memory, time, threads uint32 }

// currentParams are the second choice of the OWASP Password Storage Cheat Sheet
// (19 MiB, two passes, one lane), the least that it advises.
var currentParams = argonParams{memory: 19 << 10, time: 2, threads: 1}

const (
	saltBytes = 16
	hashBytes = 32
	// hashMemory is the most memory, in KiB, that all hashes under way may take.
	hashMemory = 96 << 10
	// hashWait is how long a sign-in waits for its turn.
	hashWait = 10 * time.Second
)

// hasher computes password hashes (argon2id, RFC 9106), few enough at a time
// that a crowd of sign-ins cannot take the module's memory.
type hasher struct {
	memory *semaphore.Weighted
	// stranger is compared with when there is no account, so that this takes as
	// much work.
	stranger string
	// computed counts the hashes, for tests.
	computed atomic.Int64
}

func newHasher() (*hasher, error) {
	h := &hasher{memory: semaphore.NewWeighted(hashMemory)}
	var err error
	h.stranger, err = h.hash(context.Background(), rand.Text())
	h.computed.Store(0)
	return h, err
}

// hash makes a PHC string of a password. It fails only for want of a turn.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	key, err := h.key(ctx, password, salt, currentParams, hashBytes)
	if err != nil {
		return "", err
	}
	return formatPHC(currentParams, salt, key), nil
}

// verify compares a password with a stored PHC string.
func (h *hasher) verify(ctx context.Context, stored, password string) (bool, error) {
	params, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, err
	}
	got, err := h.key(ctx, password, salt, params, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func (h *hasher) key(ctx context.Context, password string, salt []byte, p argonParams, length uint32) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	if err := h.memory.Acquire(ctx, int64(p.memory)); err != nil {
		return nil, kit.TryLater("Too many people sign in at this moment. Try again in a minute.")
	}
	defer h.memory.Release(int64(p.memory))
	h.computed.Add(1)
	return argon2.IDKey([]byte(cleanPassword(password)), salt, p.time, p.memory, uint8(p.threads), length), nil
}

var phcText = regexp.MustCompile(`^\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]?),p=([1-9])\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$`)

// formatPHC writes a hash as the PHC string format says
// (github.com/P-H-C/phc-string-format).
func formatPHC(p argonParams, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.memory, p.time, p.threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// parsePHC reads what formatPHC wrote. It refuses costs that nobody here chose,
// so that a damaged row cannot take the module's memory.
func parsePHC(text string) (p argonParams, salt, key []byte, err error) {
	wrong := errors.New("the stored password hash is damaged")
	found := phcText.FindStringSubmatch(text)
	if found == nil {
		return p, nil, nil, wrong
	}
	var numbers [3]uint32
	for i := range numbers {
		n, _ := strconv.ParseUint(found[i+1], 10, 32) // at most seven digits
		numbers[i] = uint32(n)
	}
	p = argonParams{numbers[0], numbers[1], numbers[2]}
	b64 := base64.RawStdEncoding.Strict()
	salt, saltErr := b64.DecodeString(found[4])
	key, keyErr := b64.DecodeString(found[5])
	if saltErr != nil || keyErr != nil || p.memory < 8*p.threads || p.memory > hashMemory {
		return argonParams{}, nil, nil, wrong
	}
	return p, salt, key, nil
}
