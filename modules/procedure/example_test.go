package procedure_test

import (
	"fmt"
	"time"

	"ejustice.dev/operator/modules/procedure"
	"ejustice.dev/operator/modules/procedure/countries"
)

// In Saint Lucia a claim is filed only when its fees are paid.
func ExampleDocument_Apply() {
	text, err := countries.Files.ReadFile("lc-civil-high-court.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	document, problems := procedure.Parse(text)
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		return
	}
	clerk := procedure.Input{Roles: []procedure.Role{"clerk"}}
	now := time.Date(2026, time.March, 2, 14, 0, 0, 0, time.UTC)

	claim := procedure.Known{Documents: []string{"claim-form", "statement-of-claim", "certificate-of-truth"}}
	state, _ := document.Learn(document.Begin(), claim)
	state, _, _ = document.Apply(state, "submit", clerk, now)
	_, _, err = document.Apply(state, "file", clerk, now)
	fmt.Println(err)

	state, _ = document.Learn(state, procedure.Known{Fees: map[string]procedure.FeeStatus{"filing": procedure.FeePaid}})
	state, _, _ = document.Apply(state, "file", clerk, now)
	state, effects, err := document.Apply(state, "issue", clerk, now)
	fmt.Println(state.Workflow, err)
	for _, effect := range effects {
		fmt.Println(effect.Kind, effect.Code)
	}
	fmt.Println("serve until", state.Deadlines["service"].Last)

	// Output:
	// refused file: fee-unpaid filing
	// issued <nil>
	// state issued
	// number claim
	// deadline-started service
	// notice issue
	// serve until 2026-09-02
}
