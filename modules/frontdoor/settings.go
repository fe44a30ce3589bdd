package frontdoor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ejustice.dev/operator/modules/kit"
)

// Settings is the front door's configuration, as its chart writes it.
type Settings struct {
	Tenant kit.Tenant `json:"tenant"`
	// Host is the name people call.
	Host string `json:"host"`
	// Namespace is the modules'.
	Namespace string  `json:"namespace"`
	Routes    []Route `json:"routes"`
}

// Route sends a path and everything below it to a module. Of several that fit,
// the longest wins.
type Route struct {
	Path   string `json:"path"`
	Module string `json:"module"`
}

var (
	hostName  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	routePath = regexp.MustCompile(`^/([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$`)
)

// ReadSettings reads and validates the configuration file.
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
	if len(s.Host) > 253 || !hostName.MatchString(s.Host) {
		errs.Add("host", "must be a domain name in small letters")
	}
	if !label.MatchString(s.Namespace) {
		errs.Add("namespace", "must be the name of a namespace")
	}
	if len(s.Routes) == 0 {
		errs.Add("routes", "must have at least one entry")
	}
	known := map[string]bool{}
	for i, r := range s.Routes {
		field := fmt.Sprintf("routes[%d]", i)
		switch {
		case !routePath.MatchString(r.Path):
			errs.Add(field+".path", "must be / or begin with it and have no other at its end, for example /reporting")
		case known[r.Path]:
			errs.Add(field+".path", "is used twice")
		}
		known[r.Path] = true
		if !label.MatchString(r.Module) {
			errs.Add(field+".module", "must be the name of a module")
		}
	}
	// The longest first, for module to find.
	slices.SortStableFunc(s.Routes, func(a, b Route) int { return len(b.Path) - len(a.Path) })
	return errs.Err()
}

// module is the one that answers a path, or empty when none does.
func (s *Settings) module(path string) string {
	for _, r := range s.Routes {
		prefix := strings.TrimSuffix(r.Path, "/")
		if path == r.Path || strings.HasPrefix(path, prefix+"/") {
			return r.Module
		}
	}
	return ""
}
