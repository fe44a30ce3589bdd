package rights

import "testing"

// What a person with one role may do, written down a second time, as a court's
// people would tell it: role by role, without a look at the table. Where the
// two differ, one of them is wrong.
func expect(s situation) bool {
	if s.role == Service {
		return s.level == Public && s.does(FeedRead)
	}
	if s.has(Excluded) || s.has(Self) && s.does(PersonAdminister, DelegationGrant) {
		return false
	}
	if s.level == Public && s.at(Ask{CaseList, Bare}, Ask{CaseRead, Bare}) {
		return true
	}
	if s.staff() && !s.mfa {
		return false
	}
	switch s.role {
	case Registrar, Clerk:
		return !s.has(PartyTo, Counsel) && expectRegistry(s)
	case Judge:
		return !s.has(PartyTo, Counsel) && expectJudge(s)
	case Prosecutor:
		return !s.has(PartyTo, Counsel) && expectProsecutor(s)
	case Lawyer:
		return expectOutsider(s, s.has(Counsel), s.place == appealHere)
	case Party:
		return expectOutsider(s, s.has(PartyTo), false)
	case Auditor:
		return s.athome() && !s.has(PartyTo, Counsel) &&
			(s.does(TraceRead, TraceReadNames, TraceVerify) || s.does(TraceExport) && s.reason)
	case CourtAdministrator:
		return s.place == here && s.does(PersonAdminister, DelegationGrant)
	case TenantAdministrator:
		return s.place == everywhere && (s.does(PersonAdminister, DelegationGrant) || s.does(ImportRun, ExportRun) && s.reason)
	}
	return false
}

func (s situation) athome() bool { return s.place == here || s.place == everywhere }

// open says whether the level lets court staff in who know of the case.
func (s situation) open() bool { return s.level < Restricted || s.reason }

// content is what is in a case file for those who work with it.
func (s situation) content() bool {
	return s.at(Ask{CaseRead, Bare}, Ask{CaseRead, Parties}, Ask{CaseRead, Documents}, Ask{CaseRead, Evidence},
		Ask{CaseRead, Fees}, Ask{DocumentRead, Documents})
}

// listed: a list shows names only where the case may be opened without a reason.
func (s situation) listed() bool {
	return s.at(Ask{CaseList, Bare}) || s.at(Ask{CaseList, Parties}) && s.level < Restricted
}

func expectRegistry(s situation) bool {
	head := s.role == Registrar
	switch s.place {
	case here, everywhere:
		if s.level == Sealed && !s.has(Named) {
			return false
		}
		return s.listed() || s.does(CaseFile) ||
			s.open() && (s.content() || s.does(CaseEvent, DocumentAdd, PartyEdit, EvidenceAdd, EvidenceHandover, FeeRecord)) ||
			head && s.open() && s.does(CaseRegister, CaseAssign, CaseLink, DocumentRedact) ||
			head && s.reason && s.does(DocumentReadOriginal, PartyReadIdentity) ||
			head && s.order && s.open() && s.does(CaseSeal, CaseUnseal, CaseName, CaseTransfer, CaseHold, PartyProtect) ||
			head && s.order && s.reason && s.does(CaseDispose)
	case appealHere:
		return (s.level < Restricted || s.has(Named)) && (s.listed() || s.open() && s.content())
	case sentFrom:
		return (s.has(Named) || s.has(Registry) && s.level < Sealed) &&
			(s.at(Ask{CaseList, Bare}) || head && s.order && s.open() && s.does(CaseTransfer))
	}
	return false
}

func expectJudge(s situation) bool {
	mine := s.has(Named) || s.has(Assigned) && s.level < Sealed
	switch s.place {
	case here, everywhere:
		return (s.level < Sealed || mine) && (s.listed() || s.open() && s.content()) ||
			mine && s.open() && (s.at(Ask{CaseRead, Notes}) || s.does(NoteWrite, DocumentReadOriginal, CaseEvent, CaseSeal, CaseUnseal,
				CaseName, CaseTransfer, CaseLink, CaseHold, DocumentAdd, DocumentRedact, PartyProtect)) ||
			mine && s.reason && s.does(PartyReadIdentity)
	case appealHere:
		return (s.level < Restricted || mine) && (s.listed() || s.open() && s.content()) ||
			mine && s.open() && s.does(DocumentReadOriginal)
	}
	return false
}

func expectProsecutor(s situation) bool {
	mine := s.has(Named) || s.has(Prosecution) && s.level < Sealed
	if s.athome() && (s.does(CaseFile) && (s.level < Sealed || s.has(Named)) ||
		mine && s.open() && s.does(CaseEvent, DocumentAdd, EvidenceAdd, EvidenceHandover)) {
		return true
	}
	if !mine || !s.athome() && s.place != appealHere {
		return false
	}
	return s.listed() || s.open() && (s.content() && s.ask.Group != Fees || s.does(DocumentReadOriginal)) ||
		s.reason && s.does(PartyReadIdentity)
}

// expectOutsider is for those who have no place in a court.
func expectOutsider(s situation, related, readsOnAppeal bool) bool {
	mine := s.has(Named) || related && s.level < Sealed
	if !s.athome() && !readsOnAppeal {
		return false
	}
	if mine && (s.does(CaseList) || s.content()) {
		return true
	}
	return s.athome() && (s.does(CaseFile) && (s.level < Sealed || s.has(Named)) ||
		mine && s.does(CaseEvent, DocumentAdd, TraceRead) ||
		mine && !s.protected && s.does(TraceReadNames))
}

func TestTheTableSaysWhatIsExpectedInEverySituation(t *testing.T) {
	wrong, asked, allowed := 0, 0, 0
	situations(func(s situation) bool {
		asked++
		got, want := s.decide(standard).Allowed, expect(s)
		if got {
			allowed++
		}
		if got != want {
			wrong++
			t.Errorf("%s: got %v, want %v", s, got, want)
		}
		return wrong < 20
	})
	t.Logf("%d situations, %d allowed", asked, allowed)
}
