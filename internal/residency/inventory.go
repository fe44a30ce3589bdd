package residency

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ejustice.dev/operator/api/v1alpha1"
)

// Facts are what the inventory goes by, as the API server had them a moment ago.
type Facts struct {
	// The tenant.
	Tenant *v1alpha1.JusticeTenant
	// The labels of every node, by its name.
	Nodes map[string]map[string]string
	// The place each StorageClass declares.
	Classes Classes
	// All pods and volume claims of the tenant's namespace, whoever made them.
	Pods   []corev1.Pod
	Claims []corev1.PersistentVolumeClaim
	// The volumes bound to the claims, by their name.
	Volumes map[string]*corev1.PersistentVolume
}

// Item is one thing that the tenant has, and where it lies.
type Item struct {
	// "pod", "database instance" or "volume".
	Kind string `json:"kind"`
	// The object's name.
	Name string `json:"name"`
	// What it is, for people; it holds no generated name.
	What string `json:"what"`
	// The nodes it lies on.
	Nodes []string `json:"nodes,omitempty"`
	// The countries it lies in; "" stands for a place that nobody declares.
	Places []string `json:"places"`
	// True when it lies nowhere yet.
	Waiting bool `json:"waiting,omitempty"`
	// True when it lies in the tenant's jurisdictions, or nowhere yet.
	AtHome bool `json:"atHome"`
}

// Inventory is all that a tenant has, sorted.
type Inventory struct {
	Tenant        string   `json:"tenant"`
	Jurisdictions []string `json:"jurisdictions"`
	// True when every item is at home.
	Resident bool   `json:"resident"`
	Items    []Item `json:"items"`
	// The host of an external database. The operator cannot see where it stands: whoever
	// runs it answers for that.
	ExternalDatabase string `json:"externalDatabase,omitempty"`
	// Backups are always none in this release.
	Backups []Item `json:"backups"`
}

// Take makes the inventory.
func Take(f Facts) Inventory {
	inventory := Inventory{
		Tenant: f.Tenant.Name, Jurisdictions: f.Tenant.Jurisdictions(),
		Resident: true, Items: []Item{}, Backups: []Item{},
	}
	if external := f.Tenant.Spec.Database.External; external != nil {
		inventory.ExternalDatabase = external.Host
	}
	for i := range f.Pods {
		inventory.Items = append(inventory.Items, f.pod(&f.Pods[i]))
	}
	for i := range f.Claims {
		inventory.Items = append(inventory.Items, f.claim(&f.Claims[i]))
	}
	slices.SortFunc(inventory.Items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	for _, item := range inventory.Items {
		inventory.Resident = inventory.Resident && item.AtHome
	}
	return inventory
}

func (f Facts) pod(pod *corev1.Pod) Item {
	item := Item{Kind: "pod", Name: pod.Name, What: "a pod that belongs to no module"}
	switch {
	case pod.Labels["cnpg.io/instanceRole"] != "":
		item.Kind, item.What = "database instance", "the database's "+pod.Labels["cnpg.io/instanceRole"]
	case pod.Labels["cnpg.io/cluster"] != "":
		item.What = "a pod of the database"
	case pod.Labels[v1alpha1.LabelModule] != "":
		item.What = "module " + pod.Labels[v1alpha1.LabelModule]
	}
	if pod.Spec.NodeName == "" {
		item.Waiting, item.AtHome, item.Places = true, true, []string{}
		return item
	}
	item.Nodes = []string{pod.Spec.NodeName}
	return f.judge(item, []string{f.Nodes[pod.Spec.NodeName][v1alpha1.LabelJurisdiction]})
}

func (f Facts) claim(claim *corev1.PersistentVolumeClaim) Item {
	item := Item{Kind: "volume", Name: claim.Name, What: "a volume that belongs to no module"}
	switch {
	case claim.Labels["cnpg.io/cluster"] != "":
		item.What = "a volume of the database"
	case claim.Labels[v1alpha1.LabelModule] != "":
		item.What = "a volume of module " + claim.Labels[v1alpha1.LabelModule]
	}
	if claim.Spec.VolumeName == "" {
		item.Waiting, item.AtHome, item.Places = true, true, []string{}
		return item
	}
	volume := f.Volumes[claim.Spec.VolumeName]
	if volume == nil {
		return f.judge(item, []string{""})
	}
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		// It is reached from everywhere: only its class knows where it lies.
		return f.judge(item, []string{f.Classes[volume.Spec.StorageClassName]})
	}
	var places []string
	for name, labels := range f.Nodes {
		if selects(volume.Spec.NodeAffinity.Required, name, labels) {
			item.Nodes = append(item.Nodes, name)
			places = append(places, labels[v1alpha1.LabelJurisdiction])
		}
	}
	if len(places) == 0 {
		places = []string{""} // its node is gone: nobody knows where it stands now
	}
	slices.Sort(item.Nodes)
	return f.judge(item, places)
}

// judge fills in the places and whether all of them are at home.
func (f Facts) judge(item Item, places []string) Item {
	slices.Sort(places)
	item.Places = slices.Compact(places)
	item.AtHome = true
	for _, place := range item.Places {
		item.AtHome = item.AtHome && slices.Contains(f.Tenant.Jurisdictions(), place)
	}
	return item
}

// Abroad says what lies where it must not, or "" when nothing does. It changes only when the
// answer does: it names no pod and counts nothing.
func (i Inventory) Abroad() string {
	var found []string
	for _, item := range i.Items {
		if !item.AtHome {
			found = append(found, item.What+" lies "+item.where())
		}
	}
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return fmt.Sprintf("data may lie in %s only, but %s: correct the label %s if it is wrong, otherwise cordon the node and move what lies there",
		strings.Join(i.Jurisdictions, " or "), strings.Join(slices.Compact(found), "; "), v1alpha1.LabelJurisdiction)
}

func (i Item) where() string {
	place := "in " + strings.Join(i.Places, " and ")
	if i.Places[0] == "" {
		place = "in a place that nobody declares"
	}
	if len(i.Nodes) > 0 {
		place += " (node " + strings.Join(i.Nodes, ", ") + ")"
	}
	return place
}
