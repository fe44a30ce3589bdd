package identity

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"ejustice.dev/operator/modules/kit"
)

// Client is a relying party: a module that lets people sign in here.
type Client struct {
	ID string `json:"id"`
	// RedirectURIs are compared letter by letter.
	RedirectURIs []string `json:"redirectURIs"`
	// PostLogoutRedirectURIs are where people may be sent after they signed out.
	PostLogoutRedirectURIs []string `json:"postLogoutRedirectURIs"`
	// Authentication says how the client proves who it is: "certificate" (RFC 8705),
	// "private_key_jwt" (RFC 7523) or "none" for a public client, which is held by
	// PKCE alone. There are no shared passwords.
	Authentication string `json:"authentication"`
	// Certificate is the DNS name in the client's own certificate of the tenant's
	// authority, for example casemanagement.justice-palestine.svc.
	Certificate string      `json:"certificate"`
	Keys        []ClientKey `json:"keys"`
}

// ClientKey is a public key that a client signs its assertions with.
type ClientKey struct {
	// ID is the "kid" of the assertions.
	ID string `json:"id"`
	// PEM is the key as a "PUBLIC KEY" block.
	PEM string `json:"pem"`

	parsed crypto.PublicKey
}

// How a client proves who it is.
const (
	byNothing     = "none"
	byCertificate = "certificate"
	byKey         = "private_key_jwt"
)

func (s *Settings) validateClients(errs *kit.FieldErrors) {
	known := map[string]bool{}
	for i := range s.Clients {
		c, field := &s.Clients[i], fmt.Sprintf("clients[%d]", i)
		switch {
		case !clientID.MatchString(c.ID):
			errs.Add(field+".id", "must be small letters, digits and hyphens")
		case known[c.ID]:
			errs.Add(field+".id", "is used twice")
		}
		known[c.ID] = true
		if len(c.RedirectURIs) == 0 {
			errs.Add(field+".redirectURIs", "must have at least one entry")
		}
		for j, uri := range c.RedirectURIs {
			if err := checkAddress(uri); err != nil {
				errs.Add(fmt.Sprintf("%s.redirectURIs[%d]", field, j), "%s", err)
			}
		}
		for j, uri := range c.PostLogoutRedirectURIs {
			if err := checkAddress(uri); err != nil {
				errs.Add(fmt.Sprintf("%s.postLogoutRedirectURIs[%d]", field, j), "%s", err)
			}
		}
		c.validateProof(errs, field)
	}
}

func (c *Client) validateProof(errs *kit.FieldErrors, field string) {
	switch c.Authentication {
	case byNothing, byCertificate, byKey:
	default:
		errs.Add(field+".authentication", "must be certificate, private_key_jwt or none")
	}
	if (c.Authentication == byCertificate) != dnsName.MatchString(c.Certificate) {
		errs.Add(field+".certificate", "must be a DNS name when the authentication is certificate, and only then")
	}
	if (c.Authentication == byKey) != (len(c.Keys) > 0) {
		errs.Add(field+".keys", "must be given when the authentication is private_key_jwt, and only then")
	}
	for i := range c.Keys {
		key := &c.Keys[i]
		block, _ := pem.Decode([]byte(key.PEM))
		var err error
		if block == nil || block.Type != "PUBLIC KEY" {
			err = errors.New("no block")
		} else {
			key.parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
		}
		if err != nil || key.ID == "" {
			errs.Add(fmt.Sprintf("%s.keys[%d]", field, i), "must have an id and a PUBLIC KEY block")
		}
	}
}

// checkAddress says what is wrong with an address that people's browsers are
// sent to: it must be absolute, by https, to a named host, and have nothing that
// two readers could understand in two ways.
func checkAddress(text string) error {
	wrong := errors.New("must be an https address without user, fragment, wildcard or dots as a part of its path")
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\*"<>^{|}`+"`", r) }) {
		return wrong
	}
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "https" || address.Opaque != "" || address.User != nil || address.Fragment != "" ||
		strings.Contains(text, "#") || !dnsName.MatchString(address.Hostname()) && address.Hostname() != "localhost" && address.Hostname() != "127.0.0.1" {
		return wrong
	}
	for part := range strings.SplitSeq(address.Path, "/") {
		if part == "." || part == ".." {
			return wrong
		}
	}
	return nil
}

// client finds a client by its id.
func (s *Settings) client(id string) (*Client, bool) {
	for i := range s.Clients {
		if s.Clients[i].ID == id {
			return &s.Clients[i], true
		}
	}
	return nil, false
}
