package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
)

// Freeze keeps refunds from being sent: of a parent account, of a bank, or all.
type Freeze struct {
	ID            sqldb.ID             `json:"id"`
	Bank          string               `json:"bank"`           // empty: of all banks
	ParentAccount string               `json:"parent_account"` // empty: of all accounts
	Cause         platform.FreezeCause `json:"cause"`
	CauseName     string               `json:"cause_name"`
	Reference     string               `json:"reference"`
	Reason        string               `json:"reason"`
	State         string               `json:"state"`
	Version       int64                `json:"version"`
	FrozenBy      string               `json:"frozen_by"`
	FrozenAt      time.Time            `json:"frozen_at"`
}

var freezeCauses = map[platform.FreezeCause]string{platform.ByStop: "人工停付", platform.ByIncident: "应急事件"}

// freezesOf tells freezes, with who made them.
func (s *server) freezesOf(c *gin.Context, some ...platform.Freeze) ([]Freeze, error) {
	by, err := platform.FrozenBy(c.Request.Context(), s.DB, some)
	told := make([]Freeze, len(some))
	for i, f := range some {
		told[i] = Freeze{ID: f.ID, Bank: f.Bank, ParentAccount: f.ParentAccount, Cause: f.Cause, CauseName: freezeCauses[f.Cause], Reference: f.Reference, Reason: f.Reason, State: f.State,
			Version: f.Version, FrozenBy: by[f.ID], FrozenAt: inShanghai(f.FrozenAt)}
	}
	return told, err
}

// answerFreeze tells one freeze.
func (s *server) answerFreeze(c *gin.Context, status int, f platform.Freeze) error {
	told, err := s.freezesOf(c, f)
	if err != nil {
		return err
	}
	tag(c, f.Version)
	c.JSON(status, told[0])
	return nil
}

// FreezeList is what is frozen, the oldest first.
type FreezeList struct {
	Freezes []Freeze `json:"freezes"`
}

// postFreeze is the kill switch: nothing goes out from an account, a bank, or at all, until it is lifted.
func (s *server) postFreeze(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	frozen, err := s.stop(c, by, f)
	if err != nil {
		return err
	}
	return s.answerFreeze(c, http.StatusCreated, frozen)
}

// stop reads what is to be stopped, and stops it.
func (s *server) stop(c *gin.Context, by string, f *form) (platform.Freeze, error) {
	code, parent, reason := f.textIf("bank", mostBank), f.textIf("parent_account", mostSub), f.text("reason", mostNote)
	f.done()
	if err := f.err(); err != nil {
		return platform.Freeze{}, err
	}
	if err := s.checkAccount(code, parent); err != nil {
		return platform.Freeze{}, err
	}
	return s.Platform.Stop(c.Request.Context(), by, code, parent, reason)
}

func (s *server) getFreezes(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	standing, err := platform.Freezes(c.Request.Context(), s.DB)
	if err != nil {
		return err
	}
	told, err := s.freezesOf(c, standing...)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, FreezeList{told})
	return nil
}

func (s *server) liftFreeze(c *gin.Context, seen int64) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	note := f.text("note", mostNote)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	lifted, err := s.Platform.LiftFreeze(c.Request.Context(), by, id, seen, note)
	if err != nil {
		return err
	}
	return s.answerFreeze(c, http.StatusOK, lifted)
}
