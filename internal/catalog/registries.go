package catalog

import (
	"slices"
	"strings"

	"ejustice.dev/operator/api/v1alpha1"
)

// Registries lists the registries that the images of the catalogs come from, sorted.
func Registries(catalogs []v1alpha1.ModuleCatalog) []string {
	var hosts []string
	for i := range catalogs {
		for _, module := range catalogs[i].Spec.Modules {
			for _, image := range module.Images {
				hosts = append(hosts, RegistryOf(image.Ref))
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// RegistryOf returns the host of an image's reference, with its port. Without one it is
// Docker's own, written the way the reference must then be written to be recognised.
func RegistryOf(ref string) string {
	host, _, found := strings.Cut(ref, "/")
	if found && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return host
	}
	return "docker.io"
}
