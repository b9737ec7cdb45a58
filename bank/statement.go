package bank

import (
	"fmt"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// The states of an imported statement.
const (
	Loading  = "LOADING"  // its lines are being read, or the reading broke off
	Partial  = "PARTIAL"  // a page is in, and the bank says that more follow
	Complete = "COMPLETE" // the bank's word on the day, until a higher revision comes
)

// StatementMoves is how an imported statement's state changes.
var StatementMoves = deposit.Machine{
	Loading: {"complete": Complete, "page": Partial},
	Partial: {"complete": Complete, "page": Partial},
}

// Proof says whether a statement's own figures hold together.
type Proof string

// The proofs.
const (
	ProofOK   Proof = "OK"   // opening + credits − debits = closing
	ProofGap  Proof = "GAP"  // they differ by the gap
	ProofNone Proof = "NONE" // the file does not say both balances
)

// StatementRow is a statement as it was imported: its figures as read, and what they prove.
type StatementRow struct {
	ID            sqldb.ID
	MessageID     sqldb.ID
	Bank          string
	ParentAccount string
	Day           deposit.Day
	Revision      int
	Currency      string
	Opening       deposit.Fen
	Closing       deposit.Fen
	Balances      string // which of the two are known: "O", "C", "OC"
	CreditCount   int64
	CreditSum     deposit.Fen
	DebitCount    int64
	DebitSum      deposit.Fen
	Declared      string // where the file's own counts and sums differ from its lines; "" where they agree
	FaultCount    int
	Proof         Proof
	Gap           deposit.Fen
	State         string
	Version       int64
	ImportedAt    time.Time
}

var statements = sqldb.NewTable("statements", "id, message_id, bank, parent_account, day, revision, currency, opening, closing, balances, "+
	"credit_count, credit_sum, debit_count, debit_sum, declared, fault_count, proof, gap, state, version, imported_at",
	func(s *StatementRow) []any {
		return []any{&s.ID, &s.MessageID, &s.Bank, &s.ParentAccount, &s.Day, &s.Revision, &s.Currency, &s.Opening, &s.Closing, &s.Balances,
			&s.CreditCount, &s.CreditSum, &s.DebitCount, &s.DebitSum, &s.Declared, &s.FaultCount, &s.Proof, &s.Gap, &s.State, &s.Version, sqldb.Wall(&s.ImportedAt)}
	})

// KnowsOpening and KnowsClosing say which balances the file told.
func (s *StatementRow) KnowsOpening() bool { return strings.Contains(s.Balances, "O") }

// KnowsClosing says whether the file told the closing balance.
func (s *StatementRow) KnowsClosing() bool { return strings.Contains(s.Balances, "C") }

// count adds a line to the sums.
func (s *StatementRow) count(e *Entry) {
	if e.Direction == Debit {
		s.DebitCount++
		s.DebitSum += e.Amount
		return
	}
	s.CreditCount++
	s.CreditSum += e.Amount
}

// conclude takes what the file says at its end and works out what its figures prove.
func (s *StatementRow) conclude(said Statement) {
	if said.Opening != nil && !s.KnowsOpening() {
		s.Opening, s.Balances = *said.Opening, "O"+s.Balances
	}
	if said.Closing != nil {
		s.Closing, s.Balances = *said.Closing, strings.TrimSuffix(s.Balances, "C")+"C"
	}
	s.Proof, s.Gap = ProofNone, 0
	if s.Balances == "OC" {
		s.Proof, s.Gap = ProofOK, s.Closing-(s.Opening+s.CreditSum-s.DebitSum)
	}
	if s.Gap != 0 {
		s.Proof = ProofGap
	}
	s.Declared = cut(strings.Join(s.undeclared(said.Declared), "；"), 400)
}

// undeclared names each declared count or sum that the lines do not have.
func (s *StatementRow) undeclared(d Declared) []string {
	var differ []string
	count := func(name string, declared int, read int64) {
		if declared >= 0 && int64(declared) != read {
			differ = append(differ, fmt.Sprintf("%s 声明 %d，实有 %d", name, declared, read))
		}
	}
	sum := func(name string, declared *deposit.Fen, read deposit.Fen) {
		if declared != nil && *declared != read {
			differ = append(differ, fmt.Sprintf("%s 声明 %s，实有 %s", name, declared.Grouped(), read.Grouped()))
		}
	}
	count("总笔数", d.Entries, s.CreditCount+s.DebitCount)
	count("贷方笔数", d.Credits, s.CreditCount)
	count("借方笔数", d.Debits, s.DebitCount)
	sum("总金额", d.Sum, s.CreditSum+s.DebitSum)
	sum("贷方金额", d.CreditSum, s.CreditSum)
	sum("借方金额", d.DebitSum, s.DebitSum)
	return differ
}

// Unproved says in Chinese why the statement's figures do not hold together; "" when they do, or when it gives none.
func (s *StatementRow) Unproved() string {
	var why []string
	if s.Proof == ProofGap {
		why = append(why, "期初＋收－付与期末相差 "+s.Gap.Grouped())
	}
	if s.Declared != "" {
		why = append(why, s.Declared)
	}
	if s.FaultCount > 0 {
		why = append(why, fmt.Sprintf("%d 条记录无法读取", s.FaultCount))
	}
	return cut(strings.Join(why, "；"), 400)
}
