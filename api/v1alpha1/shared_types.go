package v1alpha1

import "k8s.io/apimachinery/pkg/util/intstr"

// CountryCode is an ISO 3166-1 alpha-2 country code, for example PS, CI or LC.
//
// +kubebuilder:validation:MaxLength=8
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z]{2}$') && 'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW'.contains(self)",message="must be an ISO 3166-1 alpha-2 country code in capitals, for example PS, CI or LC"
type CountryCode string

// LanguageTag is a BCP 47 language tag: language, optional script, optional region.
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$')",message="must be a BCP 47 language tag, for example en, fr, ar or pt-BR"
type LanguageTag string

// Version is a semantic version without a leading v, for example 0.1.0.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="isSemver(self)",message="must be a semantic version without a leading v, for example 0.1.0"
type Version string

// ModuleName names a module of the catalog, for example casemanagement.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=30
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must be a module name of lower-case letters, digits and hyphens, for example casemanagement"
// +kubebuilder:validation:XValidation:rule="!(self in ['certificates', 'database', 'database-replica', 'default', 'public', 'vault'])",message="certificates, database, database-replica, default, public and vault are names that the operator uses itself: choose another"
type ModuleName string

// Resources are the CPU and memory of one container.
type Resources struct {
	// What the scheduler sets aside, for example {cpu: 50m, memory: 64Mi}.
	// +optional
	Requests Amounts `json:"requests,omitempty,omitzero"`

	// What the container may use at most, for example {memory: 256Mi}.
	// +optional
	Limits Amounts `json:"limits,omitempty,omitzero"`
}

// Amounts are an amount of CPU and one of memory.
type Amounts struct {
	// CPU, for example 50m or 2.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be a positive quantity, for example 50m or 2"
	CPU *intstr.IntOrString `json:"cpu,omitempty"`

	// Memory, for example 64Mi or 1Gi.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be a positive quantity, for example 64Mi or 1Gi"
	Memory *intstr.IntOrString `json:"memory,omitempty"`
}

// Map returns the amounts that are set, by resource name.
func (a Amounts) Map() map[string]string {
	out := map[string]string{}
	if a.CPU != nil {
		out["cpu"] = a.CPU.String()
	}
	if a.Memory != nil {
		out["memory"] = a.Memory.String()
	}
	return out
}
