package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/migrations/scratch"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Import is what a statement file came to.
type Import struct {
	Message    sqldb.ID    `json:"message"`
	Known      bool        `json:"known"` // the very same file was here before; nothing changed
	Faults     int         `json:"faults"`
	Statements []Statement `json:"statements"`
}

// Statement is one account's day out of a file. A balance that the file does not tell is left out.
type Statement struct {
	ID            sqldb.ID     `json:"id"`
	ParentAccount string       `json:"parent_account"`
	Day           deposit.Day  `json:"day"`
	Revision      int          `json:"revision"`
	Currency      string       `json:"currency"`
	State         string       `json:"state"`
	Proof         bank.Proof   `json:"proof"`
	Opening       *deposit.Fen `json:"opening,omitempty"`
	Credits       deposit.Fen  `json:"credits"`
	Debits        deposit.Fen  `json:"debits"`
	Closing       *deposit.Fen `json:"closing,omitempty"`
	Gap           deposit.Fen  `json:"gap"`
	CreditCount   int64        `json:"credit_count"`
	DebitCount    int64        `json:"debit_count"`
	Faults        int          `json:"faults"`
	Declared      string       `json:"declared,omitempty"` // where the file's own counts and sums differ from its lines
	ImportedAt    time.Time    `json:"imported_at"`
}

// bankStatement takes an end-of-day file, from somebody who may bring it, or from the bank, by its seal. The seal is over all
// of it, so that the file waits in a private temporary file until the last byte is in; only then is anything stored. A bank
// that does not seal is nobody here: its files are brought.
func (s *server) bankStatement(c *gin.Context) error {
	b, err := s.bankOf(c)
	if err != nil {
		return err
	}
	brought := s.caller(c).Kind != Nobody
	if !brought && b.Seal.Weak() {
		return s.stranger(c)
	}
	name, err := fileName(c)
	if err != nil {
		return err
	}
	e := s.envelope(c)
	if err := b.Admit(e); err != nil && !brought { // before half a gigabyte is read
		return s.disbelieve(c, bank.Message{Bank: b.Code, Source: bank.ByHTTP, Kind: bank.KindStatement, At: e.At}, err)
	}
	file, err := s.spool(c.Request.Body)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	switch err := b.Believe(e, file); {
	case brought:
	case isDoubt(err):
		return s.disbelieve(c, bank.Message{Bank: b.Code, Source: bank.ByHTTP, Kind: bank.KindStatement, At: e.At}, err)
	case err != nil:
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the spooled file again: %w", err)
	}
	result, err := s.Bank.Import(c.Request.Context(), author(c), b, name, file)
	s.Judge() // an import that broke off has stored lines too
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if result.Known {
		status = http.StatusOK
	}
	c.JSON(status, importOf(result))
	return nil
}

// maxFileName is what is kept of a file's name, in bytes.
const maxFileName = 200

// fileName is the name the file is to be known by, from ?name=; it is never used as a path.
func fileName(c *gin.Context) (string, error) {
	if err := onlyParameters(c, "name"); err != nil {
		return "", err
	}
	name := path.Base(strings.ReplaceAll(c.DefaultQuery("name", "statement"), `\`, "/"))
	if len(name) > maxFileName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", badParameter("name", "parameter_malformed", "文件名过长或含有控制字符")
	}
	return name, nil
}

// spooled is a file on its way in.
type spooled struct {
	*scratch.File
}

// spool writes a body to a scratch file.
func (s *server) spool(body io.Reader) (*spooled, error) {
	f, err := scratch.Create(s.Spool)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	file := &spooled{File: f}
	if _, err = io.Copy(f, body); err != nil {
		return nil, fmt.Errorf("spool: %w", errors.Join(err, f.Close()))
	}
	return file, nil
}

func importOf(r bank.ImportResult) Import {
	told := Import{Message: r.MessageID, Known: r.Known, Faults: r.Faults, Statements: make([]Statement, len(r.Statements))}
	for i := range r.Statements {
		told.Statements[i] = statementOf(&r.Statements[i])
	}
	return told
}

func statementOf(row *bank.StatementRow) Statement {
	st := Statement{ID: row.ID, ParentAccount: row.ParentAccount, Day: row.Day, Revision: row.Revision, Currency: row.Currency,
		State: row.State, Proof: row.Proof, Credits: row.CreditSum, Debits: row.DebitSum, Gap: row.Gap, CreditCount: row.CreditCount,
		DebitCount: row.DebitCount, Faults: row.FaultCount, Declared: row.Declared, ImportedAt: inShanghai(row.ImportedAt)}
	if row.KnowsOpening() {
		st.Opening = &row.Opening
	}
	if row.KnowsClosing() {
		st.Closing = &row.Closing
	}
	return st
}
