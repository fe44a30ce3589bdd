package rights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Limits of a token's claims.
const (
	maxClaims  = 32 << 10 // bytes
	maxGrants  = 64
	maxCourt   = 32  // characters of a court's code
	maxSession = 128 // characters of a session's id
)

// ParseClaims reads an actor from the claims of an ID or access token, as
// JSON. The token must be verified before.
//
// Whatever could narrow a person's rights and is not understood makes the
// whole refused: an unknown field of a grant, an end that is no time, a claim
// that is there twice. A grant of an unknown role is left out, which gives
// nothing: a newer identity module may know more roles than this program.
// Claims that have nothing to do with rights are passed over. Errors carry
// nothing of the token's content.
func ParseClaims(text []byte) (Actor, error) {
	if len(text) > maxClaims {
		return Actor{}, fmt.Errorf("the claims have more than %d bytes", maxClaims)
	}
	claims, err := members(text)
	if err != nil {
		return Actor{}, fmt.Errorf("the claims: %w", err)
	}
	var a Actor
	if err := json.Unmarshal(claims["sub"], &a.Person); err != nil || !canonical(&a.Person) {
		return Actor{}, errors.New("the claim sub is no person's id")
	}
	if sid, ok := claims["sid"]; ok {
		if err := json.Unmarshal(sid, &a.Session); err != nil || len(a.Session) > maxSession {
			return Actor{}, errors.New("the claim sid is no session's id")
		}
	}
	if amr, ok := claims["amr"]; ok {
		var methods []string
		if err := json.Unmarshal(amr, &methods); err != nil {
			return Actor{}, errors.New("the claim amr is no list of texts")
		}
		a.MFA = slices.Contains(methods, "mfa")
	}
	if grants, ok := claims["ejustice_grants"]; ok {
		if a.Grants, err = parseGrants(grants); err != nil {
			return Actor{}, err
		}
	}
	return a, nil
}

// members reads an object's members, exactly as they are named.
func members(text []byte) (map[string]json.RawMessage, error) {
	unreadable := errors.New("is no JSON object")
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, unreadable
	}
	found := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, unreadable
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, unreadable
		}
		if _, twice := found[name.(string)]; twice {
			return nil, errors.New("a member is there twice")
		}
		found[name.(string)] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, unreadable
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, unreadable
	}
	return found, nil
}

// parseGrants reads the claim ejustice_grants.
func parseGrants(text []byte) ([]Grant, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("the claim ejustice_grants is no list")
	}
	if len(list) > maxGrants {
		return nil, fmt.Errorf("there are more than %d grants", maxGrants)
	}
	var grants []Grant
	for i, item := range list {
		g, err := parseGrant(item)
		if err != nil {
			return nil, fmt.Errorf("grant %d: %w", i+1, err)
		}
		if g.Role.granted() {
			grants = append(grants, g)
		}
	}
	return grants, nil
}

// parseGrant reads one grant. One of an unknown role comes back without role.
func parseGrant(text []byte) (Grant, error) {
	found, err := members(text)
	if err != nil {
		return Grant{}, err
	}
	var g Grant
	for name, raw := range found {
		var value string
		// null would read as the lack of a court or of an end, which is wider.
		if err := json.Unmarshal(raw, &value); err != nil || string(raw) == "null" {
			return Grant{}, errors.New("has a field that is no text")
		}
		if err := g.set(name, value); err != nil {
			return Grant{}, err
		}
	}
	switch {
	case found["role"] == nil:
		return Grant{}, errors.New("has no role")
	case g.For != "" && g.Until.IsZero():
		return Grant{}, errors.New("is a delegation without an end")
	}
	return g, nil
}

// set fills one field of a grant.
func (g *Grant) set(name, value string) error {
	switch name {
	case "role":
		g.Role, _ = ParseRole(value)
		if !g.Role.granted() {
			g.Role = 0
		}
	case "court":
		if g.Court = value; len(value) > maxCourt {
			return errors.New("has a court that is too long")
		}
	case "until":
		var err error
		if g.Until, err = time.Parse(time.RFC3339, value); err != nil || g.Until.IsZero() {
			return errors.New("has an end that is no time")
		}
	case "for":
		if g.For = value; !canonical(&g.For) {
			return errors.New("is for somebody who is no person's id")
		}
	default:
		return errors.New("has a field that is not known")
	}
	return nil
}

// canonical writes a UUID in lower case; false when id is none.
func canonical(id *string) bool {
	parsed, err := uuid.Parse(*id)
	if err != nil || len(*id) != 36 || parsed == uuid.Nil {
		return false
	}
	*id = parsed.String()
	return true
}
