package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func (s *server) getReport(c *gin.Context) error {
	day, err := dayParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	report, err := s.Reconcile.Report(c.Request.Context(), s.sight(c), day)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, report)
	return nil
}

func (s *server) getCredit(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	credit, err := s.Reconcile.Credit(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, credit)
	return nil
}
