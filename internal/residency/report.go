package residency

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
)

// ReportName is the ConfigMap in a tenant's namespace that an auditor reads.
const ReportName = "residency-report"

// Report builds the ConfigMap with the inventory as a table for people and as JSON. It holds
// no time, so that it is written only when something has moved; labels are the object's.
func (i Inventory) Report(labels map[string]string) (apply.Object, error) {
	raw, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return apply.Object{}, fmt.Errorf("encoding the residency report: %w", err)
	}
	return apply.From(coreac.ConfigMap(ReportName, v1alpha1.NamespaceFor(i.Tenant)).
		WithLabels(labels).
		WithData(map[string]string{"report.txt": i.table(), "report.json": string(raw) + "\n"}))
}

func (i Inventory) table() string {
	var out bytes.Buffer
	verdict := "everything lies there"
	if !i.Resident {
		verdict = "NOT everything lies there"
	}
	fmt.Fprintf(&out, "Tenant %s: data may lie in %s; %s.\n\n", i.Tenant, strings.Join(i.Jurisdictions, " or "), verdict)
	rows := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(rows, "KIND\tNAME\tWHAT\tNODE\tPLACE\tAT HOME")
	for _, item := range i.Items {
		home, place := "yes", strings.Join(item.Places, ",")
		switch {
		case item.Waiting:
			home, place = "-", "nowhere yet"
		case !item.AtHome:
			home = "NO"
		}
		fmt.Fprintf(rows, "%s\t%s\t%s\t%s\t%s\t%s\n", item.Kind, item.Name, item.What,
			orDash(strings.Join(item.Nodes, ",")), orDash(place), home)
	}
	rows.Flush() // a bytes.Buffer takes everything
	if i.ExternalDatabase != "" {
		fmt.Fprintf(&out, "\nExternal database %s: where it stands is not proven; whoever runs it answers for that.\n", i.ExternalDatabase)
	}
	fmt.Fprintln(&out, "\nBackups: none are taken in this release, so none lie anywhere.")
	return out.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
