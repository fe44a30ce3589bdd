package rights

import (
	"slices"
	"time"

	"ejustice.dev/operator/modules/kit"
)

// Delegate checks one person's standing in for another, and returns the grant
// to give to the deputy. absent and deputy are what the two hold; g says role,
// court, until when and for whom.
//
// Nobody gets more than the absent person has: the same role, for the same
// court or for one that theirs includes, not longer than theirs, and not what
// they themselves only stand in for. The faults come back as kit.FieldErrors.
func Delegate(absent, deputy []Grant, g Grant, now time.Time) (Grant, error) {
	var errs kit.FieldErrors
	if g.For == "" {
		errs.Add("for", "is required")
	}
	if g.Until.IsZero() || !now.Before(g.Until) {
		errs.Add("until", "must be a time to come")
	}
	if !g.Role.granted() {
		errs.Add("role", "is not known")
		return Grant{}, errs.Err()
	}
	cover := standard.roles[g.Role].cover
	if !slices.ContainsFunc(deputy, func(d Grant) bool { return d.For == "" && cover.has(d.Role) && d.valid("", now) }) {
		errs.Add("role", "cannot be stood in for by somebody without such a role")
	}
	var held, long bool
	for _, a := range absent {
		if a.For == "" && a.Role == g.Role && a.valid("", now) && (a.Court == "" || a.Court == g.Court) {
			held = true
			long = long || a.Until.IsZero() || !g.Until.After(a.Until)
		}
	}
	switch {
	case !held:
		errs.Add("role", "is not held by the absent person for this court")
	case !long:
		errs.Add("until", "is later than the absent person's own role")
	}
	if err := errs.Err(); err != nil {
		return Grant{}, err
	}
	return g, nil
}
