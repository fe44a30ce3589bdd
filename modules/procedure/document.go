package procedure

// Document is one version of a court procedure. The comments of its fields are
// the descriptions in schema.json.
//
// A rule tag gives what decode.go checks: required, the wording of a text, and
// the smallest and largest number or length. A ref tag names the list that
// must declare the code. Both are written into the schema or checked by
// references.go, so that no rule is written twice.
type Document struct {
	// Code of the procedure, the same in all its versions.
	ID string `json:"id" rule:"required,code"`
	// Version as three numbers. A changed document has a higher one.
	Version string `json:"version" rule:"required,version"`
	// Country by ISO 3166-1.
	Country string `json:"country" rule:"required,country"`
	// What people call the procedure.
	Names Names `json:"names" rule:"required"`
	// Who has reviewed the document and who has not. Pages show it.
	Review Names `json:"review" rule:"required"`
	// Languages in which every name is given.
	Languages []string `json:"languages" rule:"required,language,min=1,max=10"`
	// When cases may begin under this version. A case keeps its version.
	Validity Validity `json:"validity" rule:"required"`
	// The version that this one replaces.
	Supersedes string `json:"supersedes,omitempty" rule:"version"`
	// The calendar by whose zone the day of an event is known.
	Calendar string `json:"calendar" rule:"required,code" ref:"calendars"`
	// Roles that the procedure knows, under the country's names.
	Roles []RoleName `json:"roles" rule:"required,min=1,max=20"`
	// Levels of court.
	Courts []Court `json:"courts" rule:"required,min=1,max=30"`
	// Types of case.
	CaseTypes []CaseType `json:"caseTypes" rule:"required,min=1,max=200"`
	// Calendars of court days.
	Calendars []Calendar `json:"calendars" rule:"required,min=1,max=10"`
	// Number formats.
	Numbers []Number `json:"numbers,omitempty" rule:"max=50"`
	// Amounts that the law may change.
	Parameters []Parameter `json:"parameters,omitempty" rule:"max=100"`
	// What conditions may ask about a case.
	Facts []Fact `json:"facts,omitempty" rule:"max=500"`
	// Procedural stages, apart from the workflow's states.
	Stages []Stage `json:"stages,omitempty" rule:"max=100"`
	// Ways in which a case can end.
	Outcomes []Outcome `json:"outcomes,omitempty" rule:"max=100"`
	// Documents that an event can require.
	Documents []Paper `json:"documents,omitempty" rule:"max=500"`
	// What is counted, for example adjournments.
	Counters []Counter `json:"counters,omitempty" rule:"max=50"`
	// Ways of serving documents, each with its own statuses.
	Channels []Channel `json:"channels,omitempty" rule:"max=50"`
	// Fees.
	Fees []Fee `json:"fees,omitempty" rule:"max=200"`
	// Deadlines and custody clocks.
	Deadlines []Deadline `json:"deadlines,omitempty" rule:"max=300"`
	// States of the workflow.
	States []WorkflowState `json:"states" rule:"required,min=1,max=300"`
	// Events that move a case.
	AllEvents []Event `json:"events" rule:"required,min=1,max=1000"`
	// How cases of older versions come over to this one.
	Transitions []Transition `json:"transitions,omitempty" rule:"max=50"`
	// What the document does not say and somebody has to find out.
	Gaps []Missing `json:"gaps,omitempty" rule:"max=200"`

	index index
}

// Rule is where a rule comes from. Every rule may carry it.
type Rule struct {
	// Law and article.
	Law string `json:"law,omitempty" rule:"text"`
	// Whether the rule was read in a source (confirmed) or only remembered
	// (recalled).
	Confidence Confidence `json:"confidence,omitempty"`
	// What is missing in this rule. It is reported and nothing is invented.
	Gap string `json:"gap,omitempty" rule:"text"`
	// A remark for the reader.
	Note string `json:"note,omitempty" rule:"text"`
}

// Named is a code and what people call it.
type Named struct {
	// Code by which other parts refer to it.
	Code string `json:"code" rule:"required,code"`
	// What people call it.
	Names Names `json:"names" rule:"required"`
}

// Validity is a time in which a rule applies.
type Validity struct {
	// First day.
	From Day `json:"from" rule:"required,date"`
	// Last day. Without it the end is open.
	Until *Day `json:"until,omitempty" rule:"date"`
}

// Contains says whether a day lies in the validity.
func (v Validity) Contains(day Day) bool {
	return day >= v.From && (v.Until == nil || day <= *v.Until)
}

// Missing is a gap that belongs to no rule of the document.
type Missing struct {
	// What the gap is about.
	Subject string `json:"subject" rule:"required,text"`
	// What is missing.
	Gap string `json:"gap" rule:"required,text"`
	// Law and article, as far as known.
	Law string `json:"law,omitempty" rule:"text"`
}

// RoleName is a role under the country's names.
type RoleName struct {
	Rule
	// One of the platform's roles.
	Code Role `json:"code" rule:"required"`
	// What the country calls it.
	Names Names `json:"names" rule:"required"`
}

// Court is a level of court.
type Court struct {
	Rule
	Named
	// The level that hears appeals from this one.
	AppealTo string `json:"appealTo,omitempty" rule:"code" ref:"courts"`
}

// CaseType is a type of case.
type CaseType struct {
	Rule
	Named
	// The level of court that hears it first.
	Court string `json:"court" rule:"required,code" ref:"courts"`
	// The number that its cases get at registration.
	Number string `json:"number,omitempty" rule:"code" ref:"numbers"`
}

// Number is a number format.
type Number struct {
	Rule
	Named
	// Template of {court}, {caseType}, {year}, {seq} and {seq:6}.
	Format string `json:"format" rule:"required,text"`
	// Whether every case type counts from 1, and not only every court and year.
	PerCaseType bool `json:"perCaseType,omitempty"`
}

// Parameter is an amount that the law may change.
type Parameter struct {
	Rule
	Named
	// The amount.
	Value string `json:"value" rule:"required,decimal"`
	// What it is an amount of, for example JOD.
	Unit string `json:"unit,omitempty" rule:"text"`
}

// Fact is something about a case that conditions may ask.
type Fact struct {
	Rule
	Named
	// How it is written.
	Kind FactKind `json:"kind" rule:"required"`
}

// Stage is a procedural stage.
type Stage struct {
	Rule
	Named
}

// Outcome is a way in which a case can end.
type Outcome struct {
	Rule
	Named
}

// Paper is a document that an event can require.
type Paper struct {
	Rule
	Named
}

// Counter is something that is counted.
type Counter struct {
	Rule
	Named
}
