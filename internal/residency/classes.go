package residency

import (
	"fmt"
	"slices"
	"strings"

	"ejustice.dev/operator/api/v1alpha1"
)

// Classes is the place each StorageClass declares, by its name; "" when it declares none.
type Classes map[string]string

// AtHome lists the classes of the jurisdictions: in the order of jurisdictions, then by name.
func (c Classes) AtHome(jurisdictions []string) []string {
	var all []string
	for _, jurisdiction := range jurisdictions {
		var names []string
		for name, place := range c {
			if place == jurisdiction {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		all = append(all, names...)
	}
	return all
}

// Choose returns the class for a tenant's new volumes: the wanted one, or the first at home.
// The error says in plain words why there is none.
func (c Classes) Choose(wanted string, jurisdictions []string) (string, error) {
	label := v1alpha1.LabelJurisdiction + "=" + strings.Join(jurisdictions, " or ")
	home := c.AtHome(jurisdictions)
	place, exists := c[wanted]
	switch {
	case wanted == "" && len(home) == 0:
		return "", fmt.Errorf("no StorageClass is labelled %s: label one whose volumes lie there", label)
	case wanted == "":
		return home[0], nil
	case !exists:
		return "", fmt.Errorf("StorageClass %s of spec.residency.storageClass does not exist: name one that is labelled %s", wanted, label)
	case place == "":
		return "", fmt.Errorf("StorageClass %s does not say where its volumes lie: label it %s if they lie there, or name another in spec.residency.storageClass", wanted, label)
	case !slices.Contains(home, wanted):
		return "", fmt.Errorf("volumes of StorageClass %s lie in %s: name one in spec.residency.storageClass that is labelled %s", wanted, place, label)
	}
	return wanted, nil
}
