package rights

import (
	"slices"
	"testing"
)

// properties are what must hold whatever the table says: each is a promise
// that a ministry makes. Each says what breaks it.
var properties = []struct {
	promise string
	broken  func(t *table, s situation, d Decision) bool
}{
	{"nobody gives themselves a role", func(_ *table, s situation, d Decision) bool {
		return s.has(Self) && s.does(PersonAdminister, DelegationGrant) && d.Allowed
	}},
	{"a program is told the bare facts of public cases", func(_ *table, s situation, d Decision) bool {
		return s.role == Service && d.Allowed != (s.level == Public && s.ask == Ask{FeedRead, Bare})
	}},
	{"nothing exists for who is excluded", func(_ *table, s situation, d Decision) bool {
		return s.role != Service && s.has(Excluded) && (d.Allowed || d.Visible || d.NeedsReason || d.NeedsOrder)
	}},
	{"a staff role does nothing without a second factor", func(_ *table, s situation, d Decision) bool {
		return s.staff() && !s.mfa && d.As.Role != 0 && d.As.Role != Anyone
	}},
	{"asking for a second factor tells nothing of the record", func(_ *table, s situation, d Decision) bool {
		return d.NeedsStrongSignIn != (s.staff() && !s.mfa && !d.Allowed)
	}},
	{"what is sealed is for those whom the court names", func(_ *table, s situation, d Decision) bool {
		return s.level == Sealed && (d.Allowed || d.Visible) && !s.has(Named) && !s.watching() && !s.administering()
	}},
	{"in a sealed case the parties and their counsel file, take part and see who looked, and no more", func(_ *table, s situation, d Decision) bool {
		return s.level == Sealed && !s.staff() && d.Allowed && !s.outside()
	}},
	{"the court's people and the prosecution open what is restricted or sealed with a reason", func(_ *table, s situation, d Decision) bool {
		return s.level >= Restricted && s.staff() && d.Allowed && !s.reason &&
			!s.at(Ask{CaseList, Bare}) && !s.does(CaseFile) && !s.watching() && !s.administering()
	}},
	{"a list shows the court's people no names where opening takes a reason", func(_ *table, s situation, d Decision) bool {
		return s.level >= Restricted && s.staff() && d.Allowed && s.at(Ask{CaseList, Parties})
	}},
	{"the trace is taken away with a reason", func(_ *table, s situation, d Decision) bool {
		return s.does(TraceExport) && d.Allowed && !s.reason
	}},
	{"a role for another court gives nothing", func(_ *table, s situation, d Decision) bool {
		return s.place == elsewhere && (d.Allowed || d.Visible) && d.As.Role != Anyone && !(s.level == Public && d.As.Role == 0)
	}},
	{"everybody sees the bare facts of public cases and nothing else", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == Anyone && d.Allowed && !(s.level == Public && s.at(Ask{CaseList, Bare}, Ask{CaseRead, Bare}))
	}},
	{"an auditor sees the trace and nothing of a case", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == Auditor && s.ask.Group != Trace
	}},
	{"an administrator looks after people and registers and sees nothing of a case", func(_ *table, s situation, d Decision) bool {
		return (d.As.Role == CourtAdministrator || d.As.Role == TenantAdministrator) && !s.administering()
	}},
	{"only administrators administer", func(_ *table, s situation, d Decision) bool {
		return s.administering() && d.Allowed && d.As.Role != CourtAdministrator && d.As.Role != TenantAdministrator
	}},
	{"a court's administrator stays in the court, and does not touch registers", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == CourtAdministrator && (s.place != here || s.does(ImportRun, ExportRun))
	}},
	{"a tenant's administrator is one of the whole tenant", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == TenantAdministrator && s.place != everywhere
	}},
	{"a whole register moves with a reason", func(_ *table, s situation, d Decision) bool {
		return s.does(ImportRun, ExportRun) && d.Allowed && !s.reason
	}},
	{"a lawyer sees cases in which they are counsel", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == Lawyer && !s.does(CaseFile) && !s.has(Counsel, Named)
	}},
	{"a party sees their own cases", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == Party && !s.does(CaseFile) && !s.has(PartyTo, Named)
	}},
	{"a prosecutor sees the cases they have", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == Prosecutor && !s.does(CaseFile) && !s.has(Prosecution, Named)
	}},
	{"a party sees who opened their own case", func(_ *table, s situation, d Decision) bool {
		return s.does(TraceRead) && s.role == Party && s.level < Sealed && s.has(PartyTo) && !s.has(Excluded) &&
			(s.place == here || s.place == everywhere) && !d.Allowed
	}},
	{"names of who opened a case are withheld where somebody is protected", func(_ *table, s situation, d Decision) bool {
		return s.does(TraceReadNames) && s.protected && d.Allowed && d.As.Role != Auditor
	}},
	{"nobody handles their own case", func(_ *table, s situation, d Decision) bool {
		return s.has(PartyTo, Counsel) && slices.Contains([]Role{Registrar, Clerk, Judge, Prosecutor, Auditor}, d.As.Role)
	}},
	{"a registry seals, opens, names, transfers, holds, protects and deletes on a judge's order", func(_ *table, s situation, d Decision) bool {
		return s.does(CaseSeal, CaseUnseal, CaseName, CaseTransfer, CaseHold, PartyProtect, CaseDispose) && d.Allowed &&
			!s.order && d.As.Role != Judge
	}},
	{"only a registrar deletes, with an order and a reason", func(_ *table, s situation, d Decision) bool {
		return s.does(CaseDispose) && d.Allowed && !(d.As.Role == Registrar && s.order && s.reason)
	}},
	{"who is behind a pseudonym is asked with a reason, by who must know", func(_ *table, s situation, d Decision) bool {
		return s.does(PartyReadIdentity) && d.Allowed &&
			!(s.reason && (d.As.Role == Prosecutor || s.athome() && (d.As.Role == Registrar || d.As.Role == Judge)))
	}},
	{"a judge's notes are for the judges of the case, in their court", func(_ *table, s situation, d Decision) bool {
		return s.ask.Group == Notes && d.Allowed && !(d.As.Role == Judge && s.has(Assigned, Named) && s.athome())
	}},
	{"unredacted originals stay with the court and the prosecution", func(_ *table, s situation, d Decision) bool {
		return s.does(DocumentReadOriginal) && d.Allowed && !slices.Contains([]Role{Registrar, Judge, Prosecutor}, d.As.Role)
	}},
	{"the court of the appeal reads, and changes nothing", func(_ *table, s situation, d Decision) bool {
		return s.place == appealHere && d.Allowed && !s.does(CaseList, CaseRead, DocumentRead, DocumentReadOriginal) && !(s.does(PartyReadIdentity) && s.role == Prosecutor)
	}},
	{"what is restricted is seen at the court of the appeal by who has the case", func(_ *table, s situation, d Decision) bool {
		return s.place == appealHere && s.level == Restricted && d.As.Role != 0 && !s.has(appealRelations[d.As.Role]...)
	}},
	{"at the court of the appeal, originals are for its judges in the case and the prosecution", func(_ *table, s situation, d Decision) bool {
		return s.place == appealHere && s.does(DocumentReadOriginal) && d.Allowed && !(d.As.Role == Judge && s.has(Assigned, Named) || d.As.Role == Prosecutor)
	}},
	{"who is judge of a case decides in it", func(_ *table, s situation, d Decision) bool {
		return d.As.Role == Judge && !s.does(CaseList, CaseRead, DocumentRead) && !s.has(Assigned, Named)
	}},
	{"the registry that sent a case knows where it is, and no more", func(_ *table, s situation, d Decision) bool {
		return s.place == sentFrom && d.Allowed && d.As.Role != Anyone &&
			!((d.As.Role == Registrar || d.As.Role == Clerk) && (s.at(Ask{CaseList, Bare}) || s.does(CaseTransfer))) ||
			s.place == sentFrom && s.level > Public && d.Visible && !s.has(Registry, Named)
	}},
	{"a role does what belongs to it", func(_ *table, s situation, d Decision) bool {
		return d.Allowed && !slices.Contains(offices[d.As.Role], s.ask.Action)
	}},
	{"who may read a case finds it in lists", func(t *table, s situation, d Decision) bool {
		if !d.Allowed || !s.does(CaseRead, DocumentRead, DocumentReadOriginal, PartyReadIdentity) {
			return false
		}
		s.ask = Ask{CaseList, Bare}
		return !s.decide(t).Allowed
	}},
	{"what may be read at one level may be read at each more open one", func(t *table, s situation, d Decision) bool {
		if !d.Allowed || s.level == Public || !s.does(CaseList, CaseRead, DocumentRead, DocumentReadOriginal, TraceRead, TraceReadNames, PartyReadIdentity) {
			return false
		}
		s.level--
		return !s.decide(t).Allowed
	}},
	{"a missing reason or order is admitted for what may be seen, and giving it suffices", func(t *table, s situation, d Decision) bool {
		if !d.NeedsReason && !d.NeedsOrder {
			return false
		}
		if d.Allowed || !d.Visible || d.NeedsReason && s.reason || d.NeedsOrder && s.order {
			return true
		}
		known := s
		known.ask = Ask{CaseList, Bare}
		if !known.decide(t).Allowed && s.ask != (Ask{TraceExport, Trace}) && !s.administering() {
			return true
		}
		s.reason, s.order = s.reason || d.NeedsReason, s.order || d.NeedsOrder
		return !s.decide(t).Allowed
	}},
	{"what is not allowed says in no role", func(_ *table, s situation, d Decision) bool {
		return (d.As.Role == 0) == (d.Allowed || d.NeedsReason || d.NeedsOrder)
	}},
}

// offices are the most that each role may do, whatever the circumstances.
var offices = map[Role][]Action{
	Anyone:  {CaseList, CaseRead},
	Service: {FeedRead},
	Registrar: {CaseList, CaseRead, CaseFile, CaseRegister, CaseEvent, CaseAssign, CaseName, CaseSeal, CaseUnseal, CaseTransfer, CaseLink, CaseHold, CaseDispose,
		DocumentRead, DocumentReadOriginal, DocumentAdd, DocumentRedact, PartyEdit, PartyReadIdentity, PartyProtect, EvidenceAdd, EvidenceHandover, FeeRecord},
	Clerk: {CaseList, CaseRead, CaseFile, CaseEvent, DocumentRead, DocumentAdd, PartyEdit, EvidenceAdd, EvidenceHandover, FeeRecord},
	Judge: {CaseList, CaseRead, CaseEvent, CaseName, CaseSeal, CaseUnseal, CaseTransfer, CaseLink, CaseHold,
		DocumentRead, DocumentReadOriginal, DocumentAdd, DocumentRedact, PartyReadIdentity, PartyProtect, NoteWrite},
	Prosecutor:          {CaseList, CaseRead, CaseFile, CaseEvent, DocumentRead, DocumentReadOriginal, DocumentAdd, PartyReadIdentity, EvidenceAdd, EvidenceHandover},
	Lawyer:              {CaseList, CaseRead, CaseFile, CaseEvent, DocumentRead, DocumentAdd, TraceRead, TraceReadNames},
	Party:               {CaseList, CaseRead, CaseFile, CaseEvent, DocumentRead, DocumentAdd, TraceRead, TraceReadNames},
	Auditor:             {TraceRead, TraceReadNames, TraceExport, TraceVerify},
	CourtAdministrator:  {PersonAdminister, DelegationGrant},
	TenantAdministrator: {PersonAdminister, DelegationGrant, ImportRun, ExportRun},
}

// appealRelations are of whom the court of the appeal shows a restricted case.
var appealRelations = map[Role][]Relation{Registrar: {Named}, Clerk: {Named}, Judge: {Assigned, Named}, Prosecutor: {Prosecution, Named}, Lawyer: {Counsel, Named}}

// watching: an auditor must see who looks into what is sealed, too.
func (s situation) watching() bool { return s.role == Auditor && s.ask.Group == Trace }

// administering: people and registers are no cases.
func (s situation) administering() bool {
	return s.does(PersonAdminister, DelegationGrant, ImportRun, ExportRun)
}

// outside is all that parties and counsel ever do in a case.
func (s situation) outside() bool {
	return s.content() || s.does(CaseList, CaseFile, CaseEvent, DocumentAdd, TraceRead, TraceReadNames)
}

// broken names the first promise that a table breaks in a situation.
func broken(t *table, s situation) string {
	d := s.decide(t)
	for _, p := range properties {
		if p.broken(t, s, d) {
			return p.promise
		}
	}
	return ""
}

func TestPromisesHoldInEverySituation(t *testing.T) {
	wrong := 0
	situations(func(s situation) bool {
		if promise := broken(standard, s); promise != "" {
			wrong++
			t.Errorf("%s: %s", promise, s)
		}
		return wrong < 20
	})
}
