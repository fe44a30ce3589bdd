package identity

import (
	"fmt"
	"net/url"
	"regexp"
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

// court finds a court by its code.
func (s *Settings) court(code string) (Court, bool) {
	for _, c := range s.Courts {
		if c.Code == code {
			return c, true
		}
	}
	return Court{}, false
}
