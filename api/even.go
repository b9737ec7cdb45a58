package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/platform/people"
)

// EvenStep is the time to whose next multiple answers to persons are held back: what is left out of an answer before an opening
// has to be read all the same, and the time that takes would tell how much it is.
const EvenStep = 25 * time.Millisecond

// isEven says that a way in is one of persons, who are told less than is stored.
func (r *Route) isEven() bool {
	return slices.ContainsFunc(r.Roles, func(role Role) bool { return slices.Contains(people.OfPersons, role) })
}

// evenly holds back the first byte of an answer to the next step.
type evenly struct {
	gin.ResponseWriter
	ctx   context.Context
	begun time.Time
	step  time.Duration
	once  sync.Once
}

func (w *evenly) wait() {
	w.once.Do(func() {
		next := time.NewTimer(w.step - time.Since(w.begun)%w.step)
		defer next.Stop()
		select {
		case <-next.C:
		case <-w.ctx.Done():
		}
	})
}

func (w *evenly) Write(b []byte) (int, error) {
	w.wait()
	return w.ResponseWriter.Write(b)
}

func (w *evenly) WriteString(text string) (int, error) {
	w.wait()
	return w.ResponseWriter.WriteString(text)
}

func (w *evenly) WriteHeaderNow() {
	w.wait()
	w.ResponseWriter.WriteHeaderNow()
}
