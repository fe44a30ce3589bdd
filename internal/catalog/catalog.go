// Package catalog answers which version of a module a tenant should run and whether it can
// be reached from the one that is installed.
package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"ejustice.dev/operator/api/v1alpha1"
)

// Problem is a choice that only a person can correct; its text says how.
type Problem struct {
	// One CamelCase word for the condition.
	Reason string
	// One sentence for people.
	Message string
}

func (p *Problem) Error() string { return p.Message }

func problem(reason, format string, args ...any) error {
	return &Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Release finds the catalog of a release.
func Release(catalogs []v1alpha1.ModuleCatalog, release string) (*v1alpha1.ModuleCatalog, error) {
	for i := range catalogs {
		if catalogs[i].Name == release {
			return &catalogs[i], nil
		}
	}
	if len(catalogs) == 0 {
		return nil, problem("ReleaseNotFound", "release %s is not installed on this cluster and neither is any other: apply its ModuleCatalog", release)
	}
	return nil, problem("ReleaseNotFound", "release %s is not installed on this cluster: apply its ModuleCatalog or choose one of %s", release, names(catalogs))
}

// Resolve finds the catalog entry of a module: in the tenant's release, or, when pinned is
// not empty, in any release that carries that version of the module.
func Resolve(catalogs []v1alpha1.ModuleCatalog, release, module, pinned string) (*v1alpha1.CatalogModule, error) {
	cat, err := Release(catalogs, release)
	if err != nil {
		return nil, err
	}
	entry := cat.Module(module)
	if pinned == "" {
		if entry == nil {
			return nil, problem("ModuleNotFound", "release %s has no module %s: choose one of %s", release, module, moduleNames(cat))
		}
		return entry, nil
	}
	if entry != nil && string(entry.Version) == pinned {
		return entry, nil
	}
	for i := range catalogs {
		if e := catalogs[i].Module(module); e != nil && string(e.Version) == pinned {
			return e, nil
		}
	}
	return nil, problem("VersionNotFound", "no ModuleCatalog has module %s in version %s: remove the pin or apply that catalog", module, pinned)
}

// Reachable checks that the entry's version can be installed over the installed one. An
// empty installed version can always be followed.
func Reachable(entry *v1alpha1.CatalogModule, installed string) error {
	target := string(entry.Version)
	if installed == "" || installed == target {
		return nil
	}
	from, err := semver.StrictNewVersion(installed)
	if err != nil {
		return problem("VersionInvalid", "the installed version %q of %s is not a semantic version: reinstall the module", installed, entry.Name)
	}
	to, err := semver.StrictNewVersion(target)
	if err != nil {
		return problem("VersionInvalid", "version %q of %s in the catalog is not a semantic version: correct the catalog", target, entry.Name)
	}
	if to.LessThan(from) {
		return problem("DowngradeRefused", "%s runs version %s and %s is older: database changes cannot be undone, choose %s or newer", entry.Name, installed, target, installed)
	}
	if !slices.Contains(entry.UpgradableFrom, v1alpha1.Version(installed)) {
		return problem("UpgradePathMissing", "%s %s cannot be installed over %s: upgrade to one of %s first", entry.Name, target, installed, orNone(entry.UpgradableFrom))
	}
	return nil
}

func names(catalogs []v1alpha1.ModuleCatalog) string {
	out := make([]string, 0, len(catalogs))
	for i := range catalogs {
		out = append(out, catalogs[i].Name)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func moduleNames(cat *v1alpha1.ModuleCatalog) string {
	out := make([]string, 0, len(cat.Spec.Modules))
	for _, m := range cat.Spec.Modules {
		out = append(out, string(m.Name))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func orNone(versions []v1alpha1.Version) string {
	if len(versions) == 0 {
		return "(none is listed)"
	}
	out := make([]string, 0, len(versions))
	for _, v := range versions {
		out = append(out, string(v))
	}
	return strings.Join(out, ", ")
}
