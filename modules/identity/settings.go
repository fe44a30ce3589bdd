package identity

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"ejustice.dev/operator/modules/kit"
)

// Settings is what the ministry configures: the chart's values with the tenant
// beside them.
type Settings struct {
	Tenant kit.Tenant `json:"tenant"`
	// Issuer is the public address of this module, for example
	// https://courts.example.ps/identity. Everything it serves is below its path.
	Issuer   string          `json:"issuer"`
	Courts   []Court         `json:"courts"`
	Clients  []Client        `json:"clients"`
	Sessions SessionSettings `json:"sessions"`
	// FirstAdministrator is whom an empty database gets.
	FirstAdministrator FirstAdministrator `json:"firstAdministrator"`

	// prefix is the issuer's path, without a slash at its end.
	prefix string
}

// Court is one court of the tenant: a role may be held there.
type Court struct {
	Code  string            `json:"code"`
	Names map[string]string `json:"names"`
}

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

// SessionSettings says how long people stay signed in.
type SessionSettings struct {
	// IdleMinutes is after how many minutes without use a session ends; 30 when 0.
	IdleMinutes int64 `json:"idleMinutes"`
	// Hours is after how many hours every session ends; 12 when 0.
	Hours int64 `json:"hours"`
}

// FirstAdministrator is the account that an empty database gets.
type FirstAdministrator struct {
	// Login is "administrator" when empty.
	Login string `json:"login"`
	// Name is how pages call the person; the login when empty.
	Name string `json:"name"`
}

func (s SessionSettings) idle() time.Duration  { return time.Duration(s.IdleMinutes) * time.Minute }
func (s SessionSettings) whole() time.Duration { return time.Duration(s.Hours) * time.Hour }

// How a client proves who it is.
const (
	byNothing     = "none"
	byCertificate = "certificate"
	byKey         = "private_key_jwt"
)

var (
	courtCode  = regexp.MustCompile(`^[A-Z0-9]{2,16}(-[A-Z0-9]{1,16})*$`)
	clientID   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	dnsName    = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$`)
	issuerPath = regexp.MustCompile(`^(/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
)

// ReadSettings reads and checks the configuration file. The error names every
// field that is wrong.
func ReadSettings(path string) (*Settings, error) {
	settings := &Settings{}
	if err := kit.ReadConfig(path, settings); err != nil {
		return nil, err
	}
	if err := settings.validate(); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return settings, nil
}

func (s *Settings) validate() error {
	var errs kit.FieldErrors
	s.Tenant.Validate(&errs)
	s.validateIssuer(&errs)
	s.validateCourts(&errs)
	s.validateClients(&errs)
	orDefault(&s.Sessions.IdleMinutes, 30)
	orDefault(&s.Sessions.Hours, 12)
	if s.Sessions.IdleMinutes < 1 || s.Sessions.IdleMinutes > 24*60 {
		errs.Add("sessions.idleMinutes", "must be between 1 and 1440")
	}
	if s.Sessions.Hours < 1 || s.Sessions.Hours > 24 {
		errs.Add("sessions.hours", "must be between 1 and 24")
	}
	first := &s.FirstAdministrator
	if first.Login == "" {
		first.Login = "administrator"
	}
	if login, ok := cleanLogin(first.Login); !ok || login != first.Login {
		errs.Add("firstAdministrator.login", "must be 3 to 64 small letters, digits, dots, hyphens or underscores")
	}
	if first.Name == "" {
		first.Name = first.Login
	}
	return errs.Err()
}

func orDefault(value *int64, fallback int64) {
	if *value == 0 {
		*value = fallback
	}
}

func (s *Settings) validateIssuer(errs *kit.FieldErrors) {
	address, err := url.Parse(s.Issuer)
	if err != nil || checkAddress(s.Issuer) != nil || address.RawQuery != "" || !issuerPath.MatchString(address.Path) {
		errs.Add("issuer", "must be an https address without a slash at its end, for example https://courts.example.org/identity")
		return
	}
	s.prefix = address.Path
}

func (s *Settings) validateCourts(errs *kit.FieldErrors) {
	known := map[string]bool{}
	for i, c := range s.Courts {
		field := fmt.Sprintf("courts[%d]", i)
		switch {
		case !courtCode.MatchString(c.Code):
			errs.Add(field+".code", "must be capital letters and digits in groups joined by hyphens, for example RAM-SOLH")
		case known[c.Code]:
			errs.Add(field+".code", "is used twice")
		}
		known[c.Code] = true
		if len(c.Names) == 0 {
			errs.Add(field+".names", "must have at least one name")
		}
	}
}

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

// court finds a court by its code.
func (s *Settings) court(code string) (Court, bool) {
	for _, c := range s.Courts {
		if c.Code == code {
			return c, true
		}
	}
	return Court{}, false
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
